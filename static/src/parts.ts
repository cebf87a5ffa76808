// The parts of the page that the script works on.

import { find, own, root, settings } from "./page";

export const part = (name: string | null) => find<HTMLDialogElement>(`[data-consent-widget="${name}"]`);

/** The language of what we print in this page; the page itself may say another. */
export const language = () => (find("[class^=consent-widget][lang]") ?? root).lang;

/** The section around the banner's form: it keeps the form's room in the page. */
export const banner = () => part("banner")?.parentElement;

/** Shows or hides the banner; true if that changed it. */
export const setBanner = (isShown: boolean) => {
  const place = banner();
  if (!place || place.hidden !== isShown) return false;
  const hadFocus = place.matches(":focus-within");
  place.hidden = !isShown;
  if (hadFocus) land();
  return true;
};

export const append = (node: Node) => own("body").append(node);

export const create = <K extends keyof HTMLElementTagNameMap>(tag: K) =>
  own("createElement").call(document, tag) as HTMLElementTagNameMap[K];

/** Gives the focus to where the visitor came from or, where that is gone, to the content. */
export const land = (opener?: HTMLElement | null) => {
  opener?.focus();
  const content = find("main,h1");
  if (!content || opener === own("activeElement")) return;
  content.tabIndex = -1;
  content.focus({ preventScroll: true });
};

/** The choices in the readable cookie, empty where the browser keeps none. */
export const mirror = (): string => own("cookie").match(`${settings.cookie}=([^;]*)`)?.[1] ?? "";
