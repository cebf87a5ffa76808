// Saving a choice. Nothing optional runs before the server has recorded it; one save at a time.

import { apply } from "./blocked";
import { removeCookies } from "./cookies";
import { address, type Decisions, emit, settings, state } from "./page";
import { append, banner, language, mirror, part, setBanner } from "./parts";
import { open, preferences } from "./preferences";

interface Answer {
  decided: boolean;
  categories: Decisions;
  signal: string | null;
}

export interface Choice {
  action: string;
  categories?: FormDataEntryValue[];
  /** Which version was shown, where the form says so. */
  notice?: number;
  /** The language in which the visitor was asked, where the form says so: the record names it. */
  lang?: FormDataEntryValue | null;
}

/** Takes what the server answers as the truth until the page goes. */
const adopt = async (request: Promise<Response>, isSaved?: boolean) => {
  const response = await request;
  if (!response.ok) throw response;
  const answer: Answer = await response.json();
  // Compared with what the server said before: the readable cookie has changed by the time the answer is here.
  const before = settings.state.split(".");
  const after = before.map((entry) => {
    const name = entry.replace(/:.*/, "");
    return `${name}:${["denied", "granted"].indexOf(answer.categories[name] as string)}`;
  });
  settings.state = after.join(".");
  const changed = after.filter((entry) => !before.includes(entry)).map((entry) => entry.replace(/:.*/, ""));
  const withdrawn = changed.filter((name) => before.includes(`${name}:1`));
  setBanner(!(answer.decided || answer.signal));
  apply();
  if (isSaved) emit("decided", { changed });
  if (changed[0]) emit("changed", { changed });
  if (withdrawn[0]) emit("withdrawn", { changed: withdrawn });
  if (isSaved || withdrawn[0])
    preferences()
      .then((words) => {
        for (const name of withdrawn) {
          removeCookies(words.querySelector(`[value="${name}"]`)?.closest("fieldset") as Element);
        }
        if (!isSaved) return;
        const status = part("status") as HTMLElement;
        status.textContent = status.getAttribute("data-saved");
        if (!mirror()) part("no-cookie")?.show();
      })
      .catch(() => {});
  return state();
};

let earlier: Promise<unknown> = Promise.resolve();

/** Asks the server what this page cannot know. */
export const refresh = () => {
  earlier = earlier.then(() => adopt(fetch(address("state")))).catch(apply);
};

/** Records a choice. The banner, and `place` if it is the dialog, go at once and come back with a message if the save fails. */
export const save = (choice: Choice, place?: HTMLElement | null, button?: HTMLElement | null) => {
  const hadBanner = choice.action !== "add" && setBanner(false);
  const dialog = place as HTMLDialogElement | null;
  dialog?.close?.();
  const result = earlier.then(() => {
    const body = JSON.stringify({ lang: language(), ...choice, notice: choice.notice || +settings.notice });
    const headers = { "Content-Type": "application/json" };
    // `keepalive`: the choice arrives even if the visitor leaves the page at once.
    return adopt(fetch(address("preferences"), { method: "POST", headers, body, keepalive: true }), true);
  });
  earlier = result.catch(() => {
    if (hadBanner) setBanner(true);
    if (dialog?.close) {
      append(dialog);
      dialog.showModal();
    }
    const alert = (place ?? (hadBanner ? banner() : null))?.querySelector("[role=alert]");
    if (alert) alert.textContent = alert.getAttribute("data-failed");
    // Where nothing can tell of the failure, the preferences do.
    else if (button) open(button);
    button?.focus();
  });
  return result;
};
