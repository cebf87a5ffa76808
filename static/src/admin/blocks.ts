// Writes Markdown from what paste.ts found in a document. Nothing here knows the page.

/** A stretch of text with one look. */
export interface Run {
  text: string;
  bold: boolean;
  italic: boolean;
  href: string;
}

export type Block =
  /** `isWhole`: Markdown already, a table. */
  | { kind: "text"; text: string; isWhole?: boolean }
  | { kind: "heading"; level: number; text: string }
  /** `marker`: "-" or a number as it stood in the document, such as "3."; `level` counts from 1. */
  | { kind: "item"; level: number; marker: string; text: string }
  /** What else belongs to the list item before. */
  | { kind: "more"; level: number; text: string; isWhole?: boolean };

/** White space as HTML sees it, and what word processors hide between letters; all text in NFC. */
export const tidy = (text: string) =>
  text
    .replace(/[\xad\u200b\u2060\ufeff]/g, "")
    .replace(/\s+/g, " ")
    .replace(/\p{Cc}|\p{Cs}/gu, "")
    .normalize("NFC");

/** `text` so that Markdown shows it as it stands; as few signs as may be, for people go on editing it. */
export const literal = (text: string) =>
  text
    .replace(/[\\`]/g, "\\$&")
    .replace(/\*(?=\S)|(?<=\S)\*/g, "\\*")
    .replace(/(?<![\p{L}\p{N}])_(?=\S)|(?<=\S)_(?![\p{L}\p{N}])/gu, "\\_")
    .replace(/\](?=[(:[])/g, "\\]")
    .replace(/<(?=[\w/!?])/g, "\\<")
    .replace(/&(?=#|\w+;)/g, "\\&");

/** Escapes the signs that mean something at the start of a line only. */
const escapeStarts = (text: string) =>
  text
    .replace(/^(?=#{1,6}(?:\s|$)|>|[-+](?:\s|$)|-{3,}$|_{3,}$|=+$|~{3,}|\|)/gm, "\\")
    .replace(/^(\d+)(?=[.)](?:\s|$))/gm, "$1\\");

const isWord = (sign: string) => /[\p{L}\p{N}]/u.test(sign);

/**
 * Marks around a part of a line. White space stays outside, and so does punctuation where a letter follows on the mark: between
 * punctuation and a letter it would neither open nor close (CommonMark 6.2). `before` and `after` are the signs beside.
 */
const mark = (sign: string, text: string, before: string, after: string) => {
  const punctuation = /\]\(|\*/.test(text) ? "[^\\p{L}\\p{N}*\\[\\]()\\\\]*" : "[^\\p{L}\\p{N}]*";
  const head = isWord(before) ? punctuation : "\\s*";
  const tail = isWord(after) ? punctuation : "\\s*";
  const [, left = "", core = "", right = ""] = new RegExp(`^(${head})(.*?)(${tail})$`, "su").exec(text) ?? [];
  return core ? left + sign + core + sign + right : text;
};

const address = (href: string) =>
  /[\s()<>]/.test(href) ? `<${href.replace(/\s/g, "%20").replace(/[<>]/g, encodeURIComponent)}>` : href;

/** Neighbours of one `key` together; a blank has no look of its own and goes with what stands before. */
const group = (runs: readonly Run[], key: (run: Run) => unknown): Run[][] => {
  const groups: Run[][] = [];
  for (const run of runs) {
    const last = groups.at(-1);
    if (last && (!run.text.trim() || key(last[0] as Run) === key(run))) last.push(run);
    else groups.push([run]);
  }
  return groups;
};

/** Each group written by `write`, told of the signs beside it. */
const join = (groups: Run[][], write: (group: Run[], before: string, after: string) => string) =>
  groups
    .map((runs, at) => write(runs, groups[at - 1]?.at(-1)?.text.at(-1) ?? " ", groups[at + 1]?.[0]?.text[0] ?? " "))
    .join("");

const linked = (runs: Run[]) => {
  const text = literal(
    runs
      .map((run) => run.text)
      .join("")
      .replace(/ +/g, " "),
  );
  const href = runs[0]?.href;
  if (!href || !text.trim()) return text;
  const [, start = "", body = "", end = ""] = /^(\s*)(.*?)(\s*)$/s.exec(text) ?? [];
  return `${start}[${body.replace(/(?<!\\)[[\]]/g, "\\$&")}](${address(href)})${end}`;
};

const emphasised = (sign: string, isOn: (run: Run) => boolean, inner: (runs: Run[]) => string) => (runs: Run[]) =>
  join(group(runs, isOn), (some, before, after) =>
    isOn(some[0] as Run) ? mark(sign, inner(some), before, after) : inner(some),
  );

const linkedRuns = (runs: Run[]) =>
  join(
    group(runs, (run) => run.href),
    linked,
  );
const italicRuns = emphasised("*", (run) => run.italic, linkedRuns);
const boldRuns = emphasised("**", (run) => run.bold, italicRuns);

/** One paragraph of Markdown; a line break inside it is a hard one. `isPlain`: no emphasis, as in a heading. */
export const inline = (runs: readonly Run[], isPlain = false): string => {
  const lines: Run[][] = [[]];
  for (const run of runs) {
    for (const [at, text] of run.text.split("\n").entries()) {
      if (at) lines.push([]);
      if (text) lines.at(-1)?.push({ ...run, text });
    }
  }
  const written = lines.map((line) => (isPlain ? linkedRuns(line) : boldRuns(line)).replace(/ +/g, " ").trim());
  return written.filter((line) => line).join("\\\n");
};

/** Columns of the widest row; the first row is the head, as GitHub's tables demand. */
export const table = (rows: readonly (readonly string[])[]): string => {
  const width = Math.max(...rows.map((row) => row.length));
  const cell = (text = "") => text.replace(/\\\n/g, " ").replace(/\s+/g, " ").trim().replace(/\|/g, "\\|");
  const line = (row: readonly string[]) => `| ${Array.from({ length: width }, (_, at) => cell(row[at])).join(" | ")} |`;
  const [head = [], ...body] = rows;
  return [line(head), `|${" --- |".repeat(width)}`, ...body.map(line)].join("\n");
};

const indent = (text: string, width: number) => text.replace(/\n(?=[^\n])/g, `\n${" ".repeat(width)}`);

/** Which level each heading gets: clauses are of the second, a single title above them as well, none is deeper than the fourth. */
const levels = (blocks: readonly Block[]) => {
  const found = blocks.flatMap((block) => (block.kind === "heading" ? [block.level] : []));
  const ranks = [...new Set(found)].sort();
  const hasTitle =
    ranks.length > 1 && found[0] === ranks[0] && found.filter((level) => level === ranks[0]).length === 1;
  if (hasTitle) ranks.shift();
  return (level: number) => Math.min(4, 2 + Math.max(0, ranks.indexOf(level)));
};

/** The blocks as one Markdown text, without a line break at its end. */
export const write = (blocks: readonly Block[]): string => {
  const level = levels(blocks);
  let text = "";
  let last: Block | undefined;
  // How wide the markers of the open items are: what belongs to an item stands under its text (CommonMark 5.2).
  let open: number[] = [];
  for (const block of blocks) {
    const isItem = block.kind === "item";
    if (isItem) open = open.slice(0, block.level - 1);
    else open = block.kind === "more" ? open.slice(0, block.level) : [];
    const margin = " ".repeat(open.reduce((sum, width) => sum + width, 0));
    // Only a list that starts with 1 may follow its item's text without a blank line (CommonMark 5.2).
    const isTight = isItem && last?.kind === "item" && (/^(-|1\.)$/.test(block.marker) || block.level <= last.level);
    if (last) text += isTight ? "\n" : "\n\n";
    if (isItem) {
      const lead = `${block.marker} `;
      text += margin + lead + indent(escapeStarts(block.text), margin.length + lead.length);
      open.push(lead.length);
    } else if (block.kind === "heading") {
      text += `${"#".repeat(level(block.level))} ${block.text.replace(/\\\n/g, " ")}`;
    } else text += margin + indent(block.isWhole ? block.text : escapeStarts(block.text), margin.length);
    last = block;
  }
  return text;
};
