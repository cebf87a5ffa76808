// Edits of a Markdown text. Nothing here knows the page: text and selection come in, what to replace comes out.

/** Puts `text` in the place of what stands from `start` to `end`, then selects `select`. */
export interface Edit {
  start: number;
  end: number;
  text: string;
  select: [number, number];
}

export type Command = (text: string, start: number, end: number) => Edit;

const PREFIX = /^\s*(?:(?:#{1,6}|>|[-+*]|\d+[.)])\s+)*/;

/** The length of the row of asterisks that ends before `at` (step -1) or starts there (step 1). */
const stars = (text: string, at: number, step: 1 | -1) => {
  let count = 0;
  while (text[step > 0 ? at + count : at - 1 - count] === "*") count++;
  return count;
};

const isMarked = (mark: string, count: number) => (mark === "**" ? count >= 2 : count % 2 === 1);

/** Moves both ends over white space, asterisks that stand at both, and where nothing is selected to the word around. */
const narrow = (text: string, start: number, end: number): [number, number] => {
  while (start < end && /\s/.test(text[start] as string)) start++;
  while (start < end && /\s/.test(text[end - 1] as string)) end--;
  if (start === end) {
    while (start > 0 && /[\p{L}\p{M}\p{N}]/u.test(text[start - 1] as string)) start--;
    while (end < text.length && /[\p{L}\p{M}\p{N}]/u.test(text[end] as string)) end++;
  }
  while (end - start > 1 && text[start] === "*" && text[end - 1] === "*") {
    start++;
    end--;
  }
  return [start, end];
};

/** Emphasis ends with its line, so each line gets marks of its own. */
const wrapLines = (mark: string, text: string, start: number, end: number): Edit => {
  const lines = text.slice(start, end).split("\n");
  const isOn = lines.every((line) => {
    const body = line.replace(PREFIX, "").trim();
    return !body || (isMarked(mark, stars(body, 0, 1)) && isMarked(mark, stars(body, body.length, -1)));
  });
  const changed = lines
    .map((line) => {
      const prefix = PREFIX.exec(line)?.[0] ?? "";
      const body = line.slice(prefix.length).trim();
      if (!body) return line;
      return prefix + (isOn ? body.slice(mark.length, -mark.length) : mark + body + mark);
    })
    .join("\n");
  return { start, end, text: changed, select: [start, start + changed.length] };
};

const wrap =
  (mark: string): Command =>
  (text, from, to) => {
    if (text.slice(from, to).trim().includes("\n")) return wrapLines(mark, text, from, to);
    const [start, end] = narrow(text, from, to);
    const body = text.slice(start, end);
    const width = mark.length;
    const isOn = body && isMarked(mark, Math.min(stars(text, start, -1), stars(text, end, 1)));
    const first = isOn ? start - width : start + width;
    // A caret inside a word stays where it stood.
    const select: [number, number] =
      from === to && body ? [from + first - start, from + first - start] : [first, first + body.length];
    if (isOn) return { start: start - width, end: end + width, text: body, select };
    return { start, end, text: mark + body + mark, select };
  };

/** Rewrites each selected line as a whole. */
const onLines =
  (rewrite: (lines: string[]) => string[]): Command =>
  (text, from, to) => {
    const start = text.lastIndexOf("\n", from - 1) + 1;
    const next = text.indexOf("\n", to > from && text[to - 1] === "\n" ? to - 1 : to);
    const end = next < 0 ? text.length : next;
    const old = text.slice(start, end);
    const changed = rewrite(old.split("\n")).join("\n");
    const caret = Math.max(start, from + changed.length - old.length);
    return { start, end, text: changed, select: from === to ? [caret, caret] : [start, start + changed.length] };
  };

/** A clause, then a part of one, then plain text again: a notice's clauses are headings of the second level. */
const heading = onLines((lines) => {
  const level = /^#*/.exec(lines[0] as string)?.[0].length ?? 0;
  const mark = level === 0 ? "## " : level < 3 ? "### " : "";
  return lines.map((line) => (line.trim() ? mark + line.replace(/^#+\s*/, "") : line));
});

const list = (isMine: RegExp, mark: (index: number) => string) =>
  onLines((lines) => {
    const isOn = lines.every((line) => !line.trim() || isMine.test(line));
    let count = 0;
    return lines.map((line) => {
      if (!line.trim() && lines.length > 1) return line;
      const [, indent = "", body = ""] = /^(\s*)(?:(?:[-+*]|\d+[.)])\s+)?(.*)$/.exec(line) ?? [];
      return indent + (isOn && line.trim() ? "" : mark(++count)) + body;
    });
  });

/** Text becomes the words of a link, an address its target; what is still missing is selected. */
const link: Command = (text, from, to) => {
  const [start, end] = narrow(text, from, to);
  const body = text.slice(start, end);
  if (/^(https?:|mailto:|tel:)\S+$/i.test(body))
    return { start, end, text: `[](${body})`, select: [start + 1, start + 1] };
  const target = start + body.length + 3;
  return { start, end, text: `[${body}](https://)`, select: [target, target + "https://".length] };
};

export const COMMANDS = {
  bold: wrap("**"),
  italic: wrap("*"),
  heading,
  list: list(/^\s*[-+*]\s/, () => "- "),
  numbers: list(/^\s*\d+[.)]\s/, (index) => `${index}. `),
  link,
} satisfies Record<string, Command>;

/** The id that the page gives to the heading above `caret`, as consent_widget/render/markdown.py counts; "" above the first. */
export const sectionAt = (text: string, caret: number): string => {
  const taken = new Set<string>();
  let count = 0;
  let name = "";
  let fence = "";
  // The whole line of the caret counts: a heading is being written there.
  const end = text.indexOf("\n", caret);
  for (const line of text.slice(0, end < 0 ? undefined : end).split("\n")) {
    const mark = /^ {0,3}(```+|~~~+)/.exec(line)?.[1] ?? "";
    if (fence ? mark.startsWith(fence) : mark) fence = fence ? "" : mark;
    else if (!fence && /^ {0,3}#{1,6}(\s|$)/.test(line)) {
      count++;
      name = /\{\s*#([\w-]+)[^}]*\}\s*#*\s*$/.exec(line)?.[1] ?? `${count}`;
      while (taken.has(name)) name += "-";
      taken.add(name);
    }
  }
  return name && `notice-${name}`;
};
