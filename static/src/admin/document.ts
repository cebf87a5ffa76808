// Reads a pasted document: real headings, lists and tables, and those that Word writes as paragraphs.
// The document is an inert one and ours alone, so what has been read may be taken out of it.

import { type Block, inline, type Run, table, tidy } from "./blocks";

const DROPPED =
  "script,style,title,meta,link,template,noscript,iframe,object,embed,svg,math,xml,img,del,button,select,textarea";
const BLOCKS =
  "address,article,aside,blockquote,center,dd,div,dl,dt,fieldset,figure,footer,form,h1,h2,h3,h4,h5,h6,header,hr,li,main,nav,p,pre,section";

/** The number or bullet of a paragraph that is a list item in Word. */
type Markers = Map<Element, string>;
type Look = Omit<Run, "text">;

/** A list item that is being read: its first words follow the marker, the rest stands below. */
interface Item {
  level: number;
  marker: string;
  /** A number that Markdown has no sign for, such as "a)", kept as words. */
  words: string;
  isWritten: boolean;
}

interface Place {
  heading: number;
  item: Item | undefined;
}

/** paste.ts keeps styles under this name. */
const styleOf = (element: Element) => (element.getAttribute("data-style") ?? "").toLowerCase();

const isHidden = (element: Element) =>
  element.matches(DROPPED) ||
  /display:\s*none|mso-hide:\s*all|mso-element:\s*comment/.test(styleOf(element)) ||
  /^(MsoCommentReference|MsoToc\d)$/.test(element.className);

/** Takes out the numbers and bullets that Word writes for programs without lists, each with the element it stood in. */
const takeMarkers = (body: Element): Markers => {
  const markers: Markers = new Map();
  const take = (nodes: Node[], owner: Element | null | undefined) => {
    const marker = tidy(nodes.map((node) => node.textContent).join("")).trim();
    if (owner && marker) markers.set(owner, marker);
    for (const node of nodes) node.parentNode?.removeChild(node);
  };
  const owner = (node: Node) => node.parentElement?.closest("p,li,h1,h2,h3,h4,h5,h6,div");
  // The comments are gone in some browsers, the style in others.
  const walker = body.ownerDocument.createTreeWalker(body, NodeFilter.SHOW_COMMENT);
  const opening: Node[] = [];
  while (walker.nextNode())
    if (/\[if !supportLists\]/i.test(walker.currentNode.nodeValue ?? "")) opening.push(walker.currentNode);
  for (const comment of opening) {
    const nodes: Node[] = [];
    let node = comment.nextSibling;
    while (node && !/\[endif\]/i.test(node.nodeType === Node.COMMENT_NODE ? (node.nodeValue ?? "") : "")) {
      nodes.push(node);
      node = node.nextSibling;
    }
    // An end that is missing must not swallow the words.
    if (node) take(nodes, owner(comment));
  }
  for (const element of body.querySelectorAll('[data-style*="mso-list" i]'))
    if (/mso-list:\s*ignore/.test(styleOf(element))) take([element], owner(element));
  return markers;
};

/** A number as Markdown writes it, or as words behind a bullet: "a)" and "1.1." must stay as the text refers to them. */
const newItem = (level: number, marker: string): Item => {
  const number = /^(\d{1,9})[.)]$/.exec(marker)?.[1];
  const isWords = !number && /[\p{L}\p{N}]{1,}.*[.)]$/u.test(marker);
  return { level, marker: number ? `${number}.` : "-", words: isWords ? `${marker} ` : "", isWritten: false };
};

/** The item that a list of HTML means, with the letter that stood before it. */
const itemOf = (li: Element, list: Element, depth: number, number: number): Item => {
  const level = Number(li.getAttribute("data-aria-level")) || depth;
  if (list.localName !== "ol") return newItem(level, "-");
  const isLetter =
    /^[aA]$/.test(list.getAttribute("type") ?? "") ||
    /list-style-type:\s*(lower|upper)-(alpha|latin)/.test(styleOf(li));
  return newItem(level, isLetter && number <= 26 ? `${String.fromCharCode(96 + number)})` : `${number}.`);
};

const headingOf = (element: Element) =>
  Number(/^h([1-6])$/.exec(element.localName)?.[1]) ||
  Number(/mso-outline-level:\s*([1-6])/.exec(styleOf(element))?.[1]) ||
  (element.getAttribute("role") === "heading" && Number(element.getAttribute("aria-level"))) ||
  0;

const lookOf = (element: Element, look: Look): Look => {
  const style = styleOf(element);
  const weight = /(?:^|;)\s*font-weight:\s*(\w+)/.exec(style)?.[1];
  const slant = /(?:^|;)\s*font-style:\s*(\w+)/.exec(style)?.[1];
  const href = element.localName === "a" ? (element.getAttribute("href") ?? "").trim() : "";
  return {
    bold: weight ? /^(bold|[6-9]00)/.test(weight) : look.bold || element.matches("b,strong,.MsoTitle"),
    italic: slant ? slant !== "normal" : look.italic || element.matches("i,em"),
    // What a notice may link to; a file on the writer's disk, a mark inside the document lead nowhere.
    href: /^(https?:\/\/|mailto:|tel:)/i.test(href) ? href : look.href,
  };
};

/** The rows of `element` as texts; a cell over several columns or rows leaves the others empty. */
const readTable = (element: HTMLTableElement, markers: Markers) => {
  const rows: string[][] = [];
  for (const [at, row] of [...element.rows].entries()) {
    rows[at] ??= [];
    for (const cell of row.cells) {
      let column = 0;
      while (rows[at]?.[column] !== undefined) column++;
      const text = readBlocks(cell, at === 0, markers)
        .map((block) => (block.kind === "item" ? `${block.marker.replace("-", "•")} ${block.text}` : block.text))
        .join(" ");
      // HTML allows 1000 columns; a row span ends with its table.
      for (let down = 0; down < Math.min(cell.rowSpan || 1, element.rows.length - at); down++) {
        rows[at + down] ??= [];
        for (let right = 0; right < cell.colSpan; right++) {
          (rows[at + down] as string[])[column + right] = down || right ? "" : text;
        }
      }
    }
  }
  return rows.filter((row) => row.some((text) => text));
};

/** What stands in `root`, in order. `isPlain`: without emphasis, as in a table's head. */
export const readBlocks = (root: Element, isPlain = false, markers = takeMarkers(root)): Block[] => {
  const blocks: Block[] = [];
  let runs: Run[] = [];

  const put = (text: string, { heading, item }: Place, isWhole = false) => {
    if (!text) return;
    if (heading) blocks.push({ kind: "heading", level: heading, text });
    else if (!item) blocks.push({ kind: "text", text, isWhole });
    else if (item.isWritten || isWhole) blocks.push({ kind: "more", level: item.level, text, isWhole });
    else {
      item.isWritten = true;
      blocks.push({ kind: "item", level: item.level, marker: item.marker, text: item.words + text });
    }
  };

  const flush = (place: Place) => {
    const text = inline(runs, isPlain || place.heading > 0);
    runs = [];
    // A list typed by hand, as people do without the list button.
    const typed = /^(?:([-+–—•·▪●○*])|(\d{1,3}[.)]))\s+(?=\S)/.exec(text);
    if (typed && !place.heading && !place.item)
      put(text.slice(typed[0].length), { heading: 0, item: newItem(1, typed[2] ?? "-") });
    else put(text, place);
  };

  const placeOf = (element: Element, around: Place): Place => {
    const heading = headingOf(element);
    if (heading) return { heading, item: undefined };
    const level = Number(/mso-list:\s*l\d+\s+level(\d+)/.exec(styleOf(element))?.[1]);
    if (level) return { heading: 0, item: newItem(level, markers.get(element) ?? "-") };
    const last = blocks.at(-1);
    const goesOn =
      /^MsoList(Paragraph|Continue)/.test(element.className) && (last?.kind === "item" || last?.kind === "more");
    if (goesOn && !around.item) return { heading: 0, item: { ...newItem(last.level, "-"), isWritten: true } };
    return around;
  };

  const walkList = (list: Element, look: Look, around: Place, depth: number) => {
    let number = Number(list.getAttribute("start")) || 1;
    for (const child of list.children) {
      // Google Docs puts a nested list beside its item.
      if (child.localName !== "li") walkElement(child, look, around, depth);
      else {
        const place = { heading: 0, item: itemOf(child, list, depth, number++) };
        walk(child, look, place, depth);
        flush(place);
      }
    }
  };

  const walkTable = (element: HTMLTableElement, look: Look, place: Place, depth: number) => {
    const rows = readTable(element, markers);
    if (rows.length > 1 || (rows[0]?.length ?? 0) > 1) put(table(rows), place, true);
    // A frame around text, not a table.
    else for (const cell of element.querySelectorAll("td,th")) walk(cell, look, place, depth);
  };

  const walkElement = (element: Element, look: Look, place: Place, depth: number) => {
    if (isHidden(element)) return;
    const isList = element.matches("ul,ol");
    if (element.localName === "br") {
      if (!/page-break/.test(styleOf(element))) runs.push({ ...look, text: "\n" });
    } else if (isList || element instanceof HTMLTableElement || element.matches(BLOCKS)) {
      flush(place);
      if (isList) walkList(element, look, place, depth + 1);
      else if (element instanceof HTMLTableElement) walkTable(element, look, place, depth);
      else {
        const inside = placeOf(element, place);
        walk(element, lookOf(element, look), inside, depth);
        flush(inside);
      }
    } else walk(element, lookOf(element, look), place, depth);
  };

  const walk = (parent: Element, look: Look, place: Place, depth: number): void => {
    for (const node of parent.childNodes) {
      if (node.nodeType === Node.TEXT_NODE) runs.push({ ...look, text: tidy(node.nodeValue ?? "") });
      else if (node.nodeType === Node.ELEMENT_NODE) walkElement(node as Element, look, place, depth);
    }
  };

  const nowhere = { heading: 0, item: undefined };
  walk(root, { bold: false, italic: false, href: "" }, nowhere, 0);
  flush(nowhere);
  return blocks;
};
