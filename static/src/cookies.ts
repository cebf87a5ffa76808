// Removal of the cookies that a script can see. The server expires the others, and the same ones where it knows their place.

import { own } from "./page";

/** A regular expression for what one of `globs` (separated by spaces) names, up to the equals sign. */
const named = (globs: string | null) =>
  `(${(globs ?? "")
    .replace(/[^\w ]/g, "\\$&")
    .replaceAll("\\*", "[^;=]*")
    .replaceAll(" ", "|")})=`;

/**
 * Expires each cookie that `data-cookies` names and `data-keep`, what resembles it in other categories, does not: on every path
 * down to this page, for every parent domain.
 */
export const removeCookies = (category: Element) => {
  const names = `(?:^|; )(?!${named(category.getAttribute("data-keep"))})${named(category.getAttribute("data-cookies"))}`;
  const domains = location.hostname.split(".").map((_, i, parts) => `;domain=${parts.slice(i).join(".")}`);
  const paths = location.pathname.split("/").map((_, i, parts) => parts.slice(0, i + 1).join("/"));
  for (const [, , name] of own("cookie").matchAll(names)) {
    for (const domain of ["", ...domains]) {
      for (const path of paths) {
        for (const slash of ["", "/"]) {
          Reflect.set(Document.prototype, "cookie", `${name}=;max-age=0;path=${path}${slash}${domain}`, document);
        }
      }
    }
  }
};
