// What a visitor who has decided gets: the state, and the whole script as soon as it is needed.

import { type Api, emit, find, granted, onChange, script, settings, state, watch } from "./page";

let isLoaded: boolean;

// A module import is no Trusted Types sink, and it inherits the nonce of this script.
const load = () => import(settings().main).finally(() => (isLoaded = true));

// A second copy of the tag starts nothing.
if (script.toggleAttribute("data-waiting")) {
  const api = { granted, state, onChange } as Api;
  window.consentWidget = api;
  // The whole script puts its own interface in the place of this one.
  for (const name of ["open", "accept", "reject"] as const) {
    api[name] = (categories?: string[]) => load().then(() => consentWidget[name](categories));
  }

  addEventListener("click", (event) => {
    const link = (event.target as Element).closest<HTMLElement>("[data-consent]");
    // With a key held, a new tab is what was asked for.
    if (!link || isLoaded || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    // Where the script cannot be had, this second click is the browser's, and the link leads to the preferences page.
    load().finally(() => link.click());
  });

  // A page out of the history may have missed a choice; the whole script asks.
  emit("ready", []);

  // A page out of a shared cache knows no state: the whole script asks for it.
  watch(() => {
    if (!isLoaded && find("script[data-category],iframe[data-category]:not([src]),[data-shared]")) load();
  });
}
