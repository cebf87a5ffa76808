// What the loader and the whole script share: the script element with its settings, the state, the events.
// The state lives in the attributes of the script element, so that whichever of the two runs finds it there.

import { type Decisions, decide } from "./decisions";

export interface Detail {
  categories: Decisions;
  changed: string[];
  notice: number;
}

export interface Api {
  granted(category: string): boolean;
  state(): Decisions;
  onChange(listener: (detail: Detail) => void): void;
  open(): Promise<unknown>;
  accept(categories?: string[]): Promise<unknown>;
  reject(): Promise<unknown>;
}

declare global {
  var consentWidget: Api;
}

/** A property of the document, even where an element such as `<img name="cookie">` hides it. */
export const own = (name: string) => Reflect.get(Document.prototype, name, document);

export const root: HTMLElement = own("documentElement");

export const find = <E extends HTMLElement>(selector: string) => root.querySelector<E>(selector);

export const script = find("script[data-consent-widget]") as HTMLElement;

interface Settings {
  url: string;
  cookie: string;
  categories: string;
  state?: string;
  /** Where the whole script is, for the loader. */
  main: string;
  notice?: string;
  signal?: string;
  /** There, if empty, in a page from a shared cache. */
  shared?: string;
}

/** The settings as they stand now. Own properties alone: a polluted Object.prototype shines through a dataset. */
export const settings = () => ({ __proto__: null, ...script.dataset }) as unknown as Settings;

export const state = () => decide(settings(), own("cookie"));

export const granted = (category: string | null) => state()[category as string] === "granted";

const detail = (changed: string[]): Detail => ({
  categories: state(),
  changed,
  notice: +(settings().notice as string),
});

export const emit = (event: string, changed: string[]) =>
  root.dispatchEvent(new CustomEvent(`consent-widget:${event}`, { bubbles: true, detail: detail(changed) }));

export const onChange = (listener: (detail: Detail) => void) => {
  addEventListener("consent-widget:changed", (event) => listener((event as CustomEvent<Detail>).detail));
  listener(detail([]));
};

/** Calls `look` now and whenever nodes come in later. */
export const watch = (look: () => void) => {
  new MutationObserver(look).observe(root, { subtree: true, childList: true });
  look();
};
