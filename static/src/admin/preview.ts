// The page as a visitor will see it, beside the text that is being written.
// The frame is sandboxed whole, so nothing of it can be read here: each refresh loads a new frame behind the old one. That leaves the
// history alone (a form sent into a frame twice is two steps back), shows no blank in between, and opens where the caret is.

import { addressOf } from "./form";
import { sectionAt } from "./markdown";

const PAUSE_MS = 500;

/** The language at the end of a preview's address. */
const languageIn = (address: string) => /\/([a-z]{2})$/.exec(new URL(address, location.href).pathname)?.[1] ?? "";

const languageOf = (button: HTMLButtonElement) => languageIn(button.formAction);

/** Refreshes the `frame` of `form` while somebody writes; its buttons are those whose `formtarget` is the frame's name. */
export const startPreview = (form: HTMLFormElement, first: HTMLIFrameElement) => {
  const name = first.name;
  const buttons = [...form.elements].filter(
    (element): element is HTMLButtonElement =>
      element instanceof HTMLButtonElement && element.getAttribute("formtarget") === name,
  );
  let shown = buttons.find((button) => languageOf(button) === languageIn(first.src)) ?? buttons[0];
  if (!shown) return;
  let frame = first;
  let next: HTMLIFrameElement | undefined;
  let count = 0;
  let timer = 0;

  const isVisible = () => frame.offsetParent !== null;

  const refresh = () => {
    clearTimeout(timer);
    if (!shown || !isVisible()) return;
    const button = shown;
    const lang = languageOf(button);
    const area = form.elements.namedItem(`text_${lang}`);
    const section = area instanceof HTMLTextAreaElement ? sectionAt(area.value, area.selectionEnd) : "";
    next?.remove();
    const loading = frame.cloneNode() as HTMLIFrameElement;
    loading.name = `${name}-${++count}`;
    loading.removeAttribute("src");
    loading.setAttribute("aria-hidden", "true");
    loading.classList.add("cw-admin-preview-loading");
    loading.inert = true;
    frame.after(loading);
    next = loading;
    loading.onload = () => {
      if (next !== loading) return;
      next = undefined;
      frame.remove();
      frame = loading;
      loading.inert = false;
      loading.removeAttribute("aria-hidden");
      loading.classList.remove("cw-admin-preview-loading");
    };
    // The version has got its number since the page was made.
    button.formAction = `${addressOf(form).replace(/\/$/, "")}/preview/${lang}${section && `#${section}`}`;
    button.formTarget = loading.name;
    button.formNoValidate = true;
    form.requestSubmit(button);
  };

  const choose = (button: HTMLButtonElement) => {
    shown = button;
    for (const one of buttons) one.setAttribute("aria-pressed", `${one === button}`);
  };

  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(refresh, PAUSE_MS);
  };

  for (const button of buttons) {
    button.addEventListener("click", (event) => {
      event.preventDefault();
      choose(button);
      refresh();
    });
  }
  form.addEventListener("input", (event) => {
    // Whoever writes English wants to see English.
    const lang = /_(vi|en)$/.exec((event.target as HTMLInputElement).name)?.[1];
    const button = buttons.find((one) => languageOf(one) === lang);
    if (button) choose(button);
    later();
  });
  // A preview that was folded away is old when it is unfolded.
  const unfold = (event: Event) => {
    if ((event.target as Node).contains(frame)) later();
  };
  document.addEventListener("toggle", unfold, true);
  choose(shown);
  if (!first.hasAttribute("src")) refresh();
};
