// What the visitor decided, worked out of two texts such as `analytics:1.marketing:0`. No DOM in here.

export type Decision = "granted" | "denied" | "undecided";
export type Decisions = Record<string, Decision>;

interface Given {
  /** Names, separated by spaces. */
  categories: string;
  /** What the server verified; only this grants. */
  state?: string;
  /** The name of the readable cookie. */
  cookie: string;
}

/**
 * The decision about each category. The readable cookie among `cookies` can be edited by anybody, so it can but deny; where a stray
 * second one has the same name, both count.
 */
export const decide = ({ categories, state = "", cookie }: Given, cookies: string) => {
  // No prototype: an unknown category is no inherited property.
  const decisions = { __proto__: null } as unknown as Decisions;
  for (const category of categories.split(" ")) {
    decisions[category] = `${cookies};${cookie}=${state}`.match(`${cookie}=[^;]*\\b${category}:0`)
      ? "denied"
      : state.match(`\\b${category}:1`)
        ? "granted"
        : "undecided";
  }
  return decisions;
};
