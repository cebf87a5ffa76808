// What the loader and the whole script share: the script element with its settings, the state, the events.
// The state lives in the attributes of the script element, so that whichever of the two runs finds it there.

export type Decision = "granted" | "denied" | "undecided";
export type Decisions = Record<string, Decision>;

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

export const script = find("script[data-consent-widget]") as HTMLScriptElement;

/** The settings that every tag has. Others are asked for as attributes: a polluted Object.prototype shines through a dataset. */
export const settings = script.dataset as { cookie: string; notice: string; state: string; shared: string };

/**
 * The decision about each category. The readable cookie can be edited by anybody, so it can but deny; where a stray second one has
 * the same name, both count.
 */
export const state = () => {
  // No prototype: an unknown category is no inherited property.
  const decisions = Object.create(null) as Decisions;
  for (const entry of settings.state.split(".")) {
    const [category, verified] = entry.split(":") as [string, string];
    decisions[category] = (["denied", "granted", "undecided"] as const).at(
      own("cookie").match(`${settings.cookie}=[^;]*\\b${category}:0`) ? 0 : (verified as unknown as number),
    ) as Decision;
  }
  return decisions;
};

export const granted = (category: string | null) => state()[category as string] === "granted";

export const detail = (): Detail => ({
  categories: state(),
  changed: [],
  notice: +settings.notice,
});

export const emit = (event: string, changed?: Partial<Detail>) =>
  root.dispatchEvent(
    new CustomEvent(`consent-widget:${event}`, { bubbles: true, detail: { ...detail(), ...changed } }),
  );

export const onChange = (listener: (detail: Detail) => void) => {
  addEventListener("consent-widget:changed", (event) => listener((event as CustomEvent<Detail>).detail));
  listener(detail());
};

/** Calls `look` now and whenever nodes come in later. */
export const watch = (look: () => void) => {
  new MutationObserver(look).observe(root, { childList: true, subtree: true });
  look();
};

/** The address of one of our pages; the script lies among them. */
export const address = (page: string) => new URL(`../${page}`, script.src).href;
