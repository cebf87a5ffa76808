// What the visitor decided, worked out of two texts such as `analytics:1.marketing:0`. No DOM in here.

export type Decision = "granted" | "denied" | "undecided";
export type Decisions = Record<string, Decision>;

/**
 * The decision about `category`. Only `state`, which the server verified, grants. The cookie `name` among `cookies`, which anybody
 * can edit, can but lower it; where a stray second one has the same name, both count.
 */
export const decide = (category: string, state: string, name: string, cookies: string): Decision =>
  `${cookies};${name}=${state}`.match(`${name}=[^;]*\\b${category}:0`)
    ? "denied"
    : state.match(`\\b${category}:1`)
      ? "granted"
      : "undecided";
