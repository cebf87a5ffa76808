// Saves what was typed into a draft two seconds after the last key, and says so. One save at a time; nothing typed is lost.

import { addressOf } from "./form";

const PAUSE_MS = 2000;
const LONGEST_PAUSE_MS = 30_000;
/** Fetch keeps at most 64 KiB of bodies alive beyond their page. */
const KEPT_ALIVE_BYTES = 60_000;

/** How long to wait after the `failures`-th failure in a row. */
export const pauseAfter = (failures: number) => Math.min(PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS);

/** What the server answers to a save. */
interface Saved {
  revision: number;
  saved_at: string;
  stale: boolean;
  url: string;
}

type Outcome = { saved: Saved } | { refused: string; isConflict: boolean } | { failed: true; isSignedOut: boolean };

/** Sends the fields and tells what came of it; never throws. */
const post = async (url: string, body: FormData, keepalive: boolean): Promise<Outcome> => {
  try {
    const headers = { Accept: "application/json" };
    // A redirect leads to the sign-in, not to an answer.
    const response = await fetch(url, { method: "POST", headers, body, keepalive, redirect: "manual" });
    if (response.type === "opaqueredirect" || response.status === 401) return { failed: true, isSignedOut: true };
    if (response.ok) return { saved: await response.json() };
    // The server is in trouble, not the text.
    if (response.status >= 500 || response.status === 429) return { failed: true, isSignedOut: false };
    const { error } = await response.json();
    return { refused: error.message, isConflict: response.status === 409 };
  } catch {
    return { failed: true, isSignedOut: false };
  }
};

/** The fields as one string, to see whether anything changed; what the server gave out does not count. */
const snapshot = (form: HTMLFormElement) => {
  const fields = [...new FormData(form)].filter(([name]) => name !== "revision" && name !== "csrf_token");
  return JSON.stringify(fields);
};

/** Whether the browser has filled in what an earlier visit left: that is not saved. */
const isRestored = (form: HTMLFormElement) =>
  [...form.elements].some(
    (field) =>
      (field instanceof HTMLTextAreaElement || (field instanceof HTMLInputElement && field.type === "text")) &&
      field.value !== field.defaultValue,
  );

/** Starts saving `form`; its words stand in the data attributes of `status`. */
export const startAutosave = (form: HTMLFormElement, status: HTMLElement | null) => {
  const revision = form.elements.namedItem("revision") as HTMLInputElement;
  const inStep = form.elements.namedItem("in_step") as HTMLInputElement | null;
  // A form that comes back from the browser's memory must not bring an old revision along.
  revision.autocomplete = "off";
  let saved = snapshot(form);
  let timer = 0;
  let failures = 0;
  let saving: Promise<void> | undefined;
  // Saving takes a version that was submitted back to draft: a stray key must not do that.
  const isByHand = !form.hasAttribute("data-autosave");
  // A page that shows two people's texts leaves it to its reader to save.
  let isStopped = isByHand || form.hasAttribute("data-unsaved");
  let isLeaving = false;
  let mustAsk = form.hasAttribute("data-unsaved") || isRestored(form);

  const isUnsaved = () => !isLeaving && (mustAsk || Boolean(saving) || snapshot(form) !== saved);

  const warn = (event: BeforeUnloadEvent) => {
    if (isUnsaved()) event.preventDefault();
  };

  const say = (state: string, words?: string) => {
    if (!status) return;
    status.dataset.state = state;
    const text = words ?? status.getAttribute(`data-${state}`) ?? "";
    if (status.textContent !== text) status.textContent = text;
  };

  const wait = (milliseconds: number) => {
    clearTimeout(timer);
    if (!isStopped && !isLeaving) timer = setTimeout(save, milliseconds);
  };

  const adopt = (answer: Saved) => {
    // Other forms of this page, such as the one that discards, mean the same version.
    for (const field of document.querySelectorAll<HTMLInputElement>("input[name=revision]"))
      field.value = `${answer.revision}`;
    if (new URL(answer.url, location.href).href !== addressOf(form)) {
      form.setAttribute("action", answer.url);
      history.replaceState(history.state, "", answer.url);
    }
    const lang = form.closest<HTMLElement>("[lang]")?.lang;
    // As the page's other times: in the deployment's zone, wherever the browser is, and by 24 hours.
    const timeZone = status?.dataset.zone;
    const time = new Date(answer.saved_at).toLocaleTimeString(lang, {
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
      timeZone,
    });
    say("saved", status?.getAttribute("data-saved")?.replace("{time}", time));
    for (const place of document.querySelectorAll<HTMLElement>("[data-stale]")) place.hidden = !answer.stale;
  };

  const settle = (outcome: Outcome, sent: string) => {
    if ("saved" in outcome) {
      failures = 0;
      mustAsk = false;
      saved = sent;
      adopt(outcome.saved);
      // The word was given for the text as it was; the next edit asks for a new one.
      if (inStep?.checked && snapshot(form) === sent) {
        inStep.checked = false;
        saved = snapshot(form);
      }
      if (snapshot(form) !== saved) wait(PAUSE_MS);
      else removeEventListener("beforeunload", warn);
    } else if ("refused" in outcome) {
      // The next edit may mend it; but two people's texts are not put together by trying again.
      isStopped = outcome.isConflict;
      say(isStopped ? "conflict" : "refused", isStopped ? undefined : outcome.refused);
    } else {
      say("failed", (outcome.isSignedOut && status?.getAttribute("data-signed-out")) || undefined);
      wait(pauseAfter(++failures));
    }
  };

  const save = () => {
    clearTimeout(timer);
    const sent = snapshot(form);
    if (saving || isStopped || isLeaving || (sent === saved && !mustAsk)) return;
    const body = new FormData(form);
    body.set("action", "save");
    body.set("autosave", "1");
    const isHidden = document.visibilityState === "hidden";
    const isSmall = isHidden && new TextEncoder().encode(sent).length < KEPT_ALIVE_BYTES;
    say("saving");
    saving = post(addressOf(form), body, isSmall).then((outcome) => {
      saving = undefined;
      settle(outcome, sent);
    });
  };

  form.addEventListener("input", (event) => {
    if (inStep && (event.target as HTMLInputElement).name === "text_vi") inStep.checked = false;
    if (isStopped && !isByHand) return;
    addEventListener("beforeunload", warn);
    if (!saving && !failures) say("unsaved");
    wait(PAUSE_MS);
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") save();
  });
  addEventListener("online", save);
  form.addEventListener("submit", (event) => {
    // The preview stays here.
    if (event.submitter?.hasAttribute("formtarget")) return;
    clearTimeout(timer);
    if (!saving) {
      isLeaving = true;
      return;
    }
    // What is under way gives the form its new revision; then it may go.
    event.preventDefault();
    saving.then(() => form.requestSubmit(event.submitter));
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) isLeaving = false;
  });
  if (mustAsk) {
    addEventListener("beforeunload", warn);
    wait(PAUSE_MS);
  }
};
