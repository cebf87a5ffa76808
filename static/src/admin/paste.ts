// Paste from Word, Google Docs, a spreadsheet or a web page: what a notice may hold becomes Markdown, the rest is dropped.

import { write } from "./blocks";
import { readBlocks } from "./document";
import { trusted } from "./trusted";
import { perform } from "./typing";

/** The pasted HTML as a document that stands nowhere: no script of it runs and nothing of it is fetched. */
const parse = (html: string): HTMLElement => new DOMParser().parseFromString(trusted(html), "text/html").body;

/** What only a document has; program text in colours has none of it and is pasted as it stands. */
const RICH = "p,h1,h2,h3,h4,h5,h6,li,table,a[href],b,strong,i,em,[role=heading]";

/** The Markdown of pasted HTML; nothing where it is no document. */
export const toMarkdown = (html: string): string | undefined => {
  const body = parse(html);
  return body.querySelector(RICH) ? write(readBlocks(body)).normalize("NFC") : undefined;
};

/** Plain text as it will be stored: composed letters, no control characters. */
const clean = (text: string) =>
  text
    .replace(/\r\n?/g, "\n")
    .replace(/(?![\t\n])\p{Cc}|\p{Cs}/gu, "")
    .normalize("NFC");

/** Blocks stand apart from the text around them, a phrase stands in it. */
const fit = (text: string, before: string, after: string) => {
  if (!/\n|^(#|-|\d+\.|\|) ?/.test(text)) return text;
  const lead = /(^|\n\n)$/.test(before) ? "" : before.endsWith("\n") ? "\n" : "\n\n";
  const trail = /^\n\n/.test(after) || !after ? "" : after.startsWith("\n") ? "\n" : "\n\n";
  return lead + text + trail;
};

/** The pasted words as they go into a Markdown text; nothing where the browser's own paste does as well. */
const read = (data: DataTransfer): string | undefined => {
  const plain = data.getData("text/plain").replace(/\r\n?/g, "\n");
  // A code editor tells of itself: its colours are no document's.
  const html = data.types.includes("vscode-editor-data") ? "" : data.getData("text/html");
  const text = (html && toMarkdown(html)) || clean(plain);
  return text === plain ? undefined : text;
};

/** Has documents pasted into `area` as Markdown; undo takes the whole paste back. */
export const startPaste = (area: HTMLTextAreaElement) =>
  area.addEventListener("paste", (event) => {
    if (!event.clipboardData || area.readOnly || area.disabled) return;
    let text: string | undefined;
    try {
      text = read(event.clipboardData);
    } catch {
      // The browser's own paste is better than none.
    }
    if (!text) return;
    event.preventDefault();
    const { value, selectionStart: start, selectionEnd: end } = area;
    const fitted = fit(text, value.slice(0, start), value.slice(end));
    const caret = start + fitted.length;
    perform(area, { start, end, text: fitted, select: [caret, caret] });
  });
