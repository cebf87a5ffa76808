// What a visitor who has decided gets: the state, and the whole script as soon as it is needed.

import { type Api, detail, find, granted, onChange, root, script, settings, state, watch } from "./page";

/** Where the whole script is, from here; the build knows. */
declare const MAIN: string;

let isLoaded: boolean;

// A module import is no Trusted Types sink, and it inherits the nonce of this script.
const load = () => import(MAIN).finally(() => (isLoaded = true));

// A second copy of the tag starts nothing.
if (script.toggleAttribute("data-waiting")) {
  window.consentWidget = { granted, state, onChange } as Api;
  // The whole script puts its own interface in the place of this one.
  for (const name of ["open", "accept", "reject"] as const) {
    consentWidget[name] = (categories?: string[]) => load().then(() => consentWidget[name](categories));
  }

  addEventListener("click", (event) => {
    const link = (event.target as Element).closest<HTMLElement>("[data-consent]");
    // With a key held, a new tab is what was asked for.
    if (!link || isLoaded || event.ctrlKey || event.shiftKey || event.metaKey) return;
    event.preventDefault();
    // Where the script cannot be had, this second click is the browser's, and the link leads to the preferences page.
    load().finally(() => link.click());
  });

  // A page out of the history may have missed a choice. From then on it knows as little as one out of a shared cache.
  addEventListener("pageshow", (event) => {
    if (event.persisted) {
      settings.shared = "";
      load();
    }
  });

  root.dispatchEvent(new CustomEvent("consent-widget:ready", { bubbles: true, detail: detail() }));

  // A page out of a shared cache knows no state: the whole script asks for it.
  watch(() => {
    if (!isLoaded && find("script[data-category],iframe[data-category]:not([src]),[data-shared]")) load();
  });
}
