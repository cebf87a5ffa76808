// Edits that the browser counts as typed, so that its own undo takes them back.

import type { Edit } from "./markdown";
import { trusted } from "./trusted";

/**
 * Puts `text` in the place of the selection. Chromium lays out a whole field anew for each line that `insertText` brings (a minute for a
 * thousand paragraphs), but takes lines at once as HTML, of which a text field keeps the text alone. Firefox has no such command there.
 */
const type = (text: string) => {
  if (!text) return document.execCommand("delete");
  const escaped = text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
  // HTML drops one line break at the start of a `pre`, and the browser one at its end.
  return (
    (text.includes("\n") &&
      document.execCommand("insertHTML", false, trusted(`<pre>\n${escaped.replace(/\n$/, "\n\n")}</pre>`))) ||
    document.execCommand("insertText", false, text)
  );
};

/** Makes `edit` in one step of undo. */
export const perform = (area: HTMLTextAreaElement, { start, end, text, select }: Edit) => {
  const expected = area.value.slice(0, start) + text + area.value.slice(end);
  area.focus();
  area.setSelectionRange(start, end);
  if (start !== end || text) type(text);
  // A browser that cannot keeps the words, without undo.
  if (area.value !== expected) {
    area.value = expected;
    area.dispatchEvent(new InputEvent("input", { bubbles: true }));
  }
  area.setSelectionRange(...select);
};
