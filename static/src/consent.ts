// The whole function. Where the loader ran before, it takes over from it; else it starts alone.

import { apply } from "./blocked";
import { emit, granted, onChange, own, script, state, watch } from "./page";
import { land } from "./parts";
import { open } from "./preferences";
import { refresh, save } from "./save";

// A second copy of the tag starts nothing.
if (script.toggleAttribute("data-started")) {
  window.consentWidget = {
    granted,
    state,
    onChange,
    open: () => open(own("activeElement")),
    accept: (categories) => save(categories ? { action: "add", categories } : { action: "accept_all" }),
    reject: () => save({ action: "reject_all" }),
  };

  addEventListener("click", (event) => {
    const link = (event.target as Element).closest<HTMLElement>("[data-consent]");
    const action = link?.getAttribute("data-consent");
    // With a key held, a new tab or window is what was asked for.
    if (!action || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (action === "open-preferences") open(link);
    else save({ action: action.replace("-", "_") }, null, link);
  });

  addEventListener("submit", (event) => {
    const button = event.submitter as HTMLButtonElement;
    const place = button?.closest<HTMLElement>("[data-consent-widget]:not(section)");
    if (!place || button.name !== "action") return;
    event.preventDefault();
    const data = new FormData(button.form as HTMLFormElement);
    const frame = place.querySelector("iframe");
    save(
      {
        action: button.value,
        categories: data.getAll("category"),
        notice: +(data.get("notice") as string),
        lang: data.get("lang"),
      },
      place,
      button,
    )
      .then(() => frame && land(frame))
      .catch(() => {});
  });

  // A page out of the history may have missed a choice.
  addEventListener("pageshow", (event) => event.persisted && refresh());

  // The loader has told so already.
  if (!script.hasAttribute("data-waiting")) emit("ready");
  const start = () => {
    // A page out of a shared cache never knew of one: nobody is asked before the server says so.
    if (script.hasAttribute("data-shared")) refresh();
    watch(apply);
  };
  // Scripts are revived in the order of the document, so all of it must be there.
  if (own("readyState") === "loading") addEventListener("DOMContentLoaded", start);
  else start();
}
