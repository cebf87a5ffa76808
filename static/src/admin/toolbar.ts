// The buttons above a text: each runs an edit that the browser's own undo takes back.

import { COMMANDS, type Command } from "./markdown";
import { perform } from "./typing";

/** The strokes of the icons, on a field of 24 by 24. */
const ICONS: Record<keyof typeof COMMANDS, string> = {
  bold: "M7 5h6a3.5 3.5 0 0 1 0 7H7zm0 7h7a3.5 3.5 0 0 1 0 7H7z",
  italic: "M10 5h8M6 19h8M14.5 5l-5 14",
  heading: "M6 5v14M18 5v14M6 12h12",
  list: "M9 6h11M9 12h11M9 18h11M4.5 6h.01M4.5 12h.01M4.5 18h.01",
  numbers: "M10 6h10M10 12h10M10 18h10M4 5l1.5-1v5M4 14.5c.5-1.5 3-1 2.5.5L4 18.5h3",
  link: "M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1",
};

const SHORTCUTS: Record<string, keyof typeof COMMANDS> = { b: "bold", i: "italic", k: "link" };

const icon = (path: string) => {
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const stroke = document.createElementNS("http://www.w3.org/2000/svg", "path");
  stroke.setAttribute("d", path);
  drawing.setAttribute("viewBox", "0 0 24 24");
  drawing.setAttribute("aria-hidden", "true");
  drawing.append(stroke);
  return drawing;
};

/** One stop for the tab key; arrows go from button to button (ARIA Authoring Practices, toolbar). */
const rove = (bar: HTMLElement, buttons: HTMLButtonElement[]) => {
  bar.onkeydown = (event) => {
    const last = buttons.length - 1;
    const at = buttons.indexOf(event.target as HTMLButtonElement);
    const to = { ArrowLeft: at ? at - 1 : last, ArrowRight: at < last ? at + 1 : 0, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    for (const [index, button] of buttons.entries()) button.tabIndex = index === to ? 0 : -1;
    buttons[to]?.focus();
  };
};

/** Fills the `bar` of `area`; `label(name)` gives the words, a command without words gets no button. */
export const startToolbar = (
  bar: HTMLElement,
  area: HTMLTextAreaElement,
  label: (name: string) => string | undefined,
) => {
  let isComposing = false;
  area.addEventListener("compositionstart", () => {
    isComposing = true;
  });
  area.addEventListener("compositionend", () => {
    isComposing = false;
  });
  const run = (command: Command) => {
    if (isComposing || area.readOnly || area.disabled) return;
    perform(area, command(area.value, area.selectionStart, area.selectionEnd));
  };
  area.addEventListener("keydown", (event) => {
    const name = SHORTCUTS[event.key.toLowerCase()];
    const isShortcut = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
    if (!name || !isShortcut || event.isComposing) return;
    event.preventDefault();
    run(COMMANDS[name]);
  });
  const buttons: HTMLButtonElement[] = [];
  for (const [name, command] of Object.entries(COMMANDS)) {
    const words = label(name);
    if (!words) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "cw-admin-tool";
    button.title = words;
    button.setAttribute("aria-label", words);
    button.tabIndex = buttons.length ? -1 : 0;
    button.append(icon(ICONS[name as keyof typeof COMMANDS]));
    // The text keeps the focus, and a phone its keyboard. An input method that is still composing loses it, and so commits its word.
    button.onmousedown = (event) => isComposing || event.preventDefault();
    button.onclick = () => run(command);
    buttons.push(button);
  }
  const words = label("toolbar");
  if (words) bar.setAttribute("aria-label", words);
  bar.setAttribute("role", "toolbar");
  bar.setAttribute("aria-controls", area.id);
  bar.classList.add("cw-admin-toolbar");
  bar.replaceChildren(...buttons);
  rove(bar, buttons);
  bar.hidden = !buttons.length;
};
