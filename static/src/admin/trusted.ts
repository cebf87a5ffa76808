// The one way by which HTML reaches a sink that Trusted Types guard: a document that stands nowhere, the plain text of a field.

interface Policy {
  createHTML(html: string): string;
}

/** What Trusted Types add to the window, where the browser has them. */
type Trusting = { trustedTypes?: { createPolicy(name: string, rules: Policy): Policy } };

/**
 * Keeps styles as data and drops handlers: a document that is parsed here falls under this page's policy, which would report each of
 * them. Nothing rests on it for safety.
 */
const quieten = (html: string) =>
  html
    .replace(/<style\b.*?<\/style>/gis, "")
    .replace(/<[a-z][^<>]*>/gi, (tag) => tag.replace(/(?<=[\s"'/])(?:style|on\w+)(?=\s*=)/gi, "data-$&"));

let policy: Policy | undefined;

/** `html` as such a sink takes it; what comes of it must never stand in this page as markup. */
export const trusted = (html: string) => {
  const rules = { createHTML: quieten };
  policy ??= (globalThis as Trusting).trustedTypes?.createPolicy("consent-widget", rules) ?? rules;
  return policy.createHTML(html);
};
