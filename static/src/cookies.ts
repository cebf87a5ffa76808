// Removal of the cookies that a script can see. The server expires the others, and the same ones where it knows their place.

import { own } from "./page";

/** Expires each cookie that one of `globs` (separated by spaces) names: on every path down to this page, for every parent domain. */
export const removeCookies = (globs: string) => {
  const names = globs
    .replace(/[^\w ]/g, "\\$&")
    .replaceAll("\\*", "[^;=]*")
    .replaceAll(" ", "|");
  const domains = location.hostname.split(".").map((_, i, parts) => `;domain=${parts.slice(i).join(".")}`);
  const paths = location.pathname.split("/").map((_, i, parts) => parts.slice(0, i + 1).join("/"));
  for (const [, name] of own("cookie").matchAll(`(?:^|; )(${names})=`)) {
    for (const domain of ["", ...domains]) {
      for (const path of paths) {
        for (const slash of ["", "/"]) {
          Reflect.set(Document.prototype, "cookie", `${name}=;max-age=0;path=${path}${slash}${domain}`, document);
        }
      }
    }
  }
};
