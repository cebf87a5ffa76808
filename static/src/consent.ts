// The whole function. Where the loader ran before, it takes over from it; else it starts alone.

import { apply } from "./blocked";
import { emit, granted, onChange, own, script, settings, state, watch } from "./page";
import { banner, land, mirror, setBanner } from "./parts";
import { open } from "./preferences";
import { refresh, save } from "./save";

/** Learns what a page out of a shared cache never knew, and what one out of the history may have missed. */
const catchUp = () => {
  if (mirror()) refresh().catch(apply);
  else if (!(navigator as { globalPrivacyControl?: boolean }).globalPrivacyControl) setBanner(true);
};

const { started, shared } = settings();

// The loader has told so already.
const isFirst = !window.consentWidget?.granted;

// A second copy of the tag starts nothing.
if (started !== "") {
  script.dataset.started = "";
  window.consentWidget = {
    granted,
    state,
    onChange,
    open,
    accept: (categories) => save(categories ? { action: "add", categories } : { action: "accept_all" }),
    reject: () => save({ action: "reject_all" }),
  };

  addEventListener("click", (event) => {
    const link = (event.target as Element).closest<HTMLElement>("[data-consent]");
    const action = link?.getAttribute("data-consent");
    if (!action || event.ctrlKey) return;
    event.preventDefault();
    if (action === "open-preferences") open(link);
    // Where no banner can tell of the failure, the preferences do.
    else save({ action: action.replace("-", "_") }, null, link).catch(() => void (banner() || open(link)));
  });

  addEventListener("submit", (event) => {
    const button = event.submitter as HTMLButtonElement;
    const place = button?.closest<HTMLElement>("[data-consent-widget]:not(section)");
    if (!place || button.name !== "action") return;
    event.preventDefault();
    const data = new FormData(button.form as HTMLFormElement);
    const frame = place.querySelector("iframe");
    save(
      { action: button.value, categories: data.getAll("category"), notice: +(data.get("notice") as string) },
      place,
      button,
    )
      .then(() => frame && land(frame))
      .catch(() => {});
  });

  addEventListener("pageshow", (event) => event.persisted && catchUp());

  if (isFirst) emit("ready", []);
  const start = () => {
    if (shared === "") catchUp();
    watch(apply);
  };
  // Scripts are revived in the order of the document, so all of it must be there.
  if (own("readyState") === "loading") addEventListener("DOMContentLoaded", start);
  else start();
}
