// Numbers that go on by themselves while a campaign is sent. Without this script the link "Refresh" does the same.
// The page is asked for as a document: no text becomes markup here, so no Trusted Types sink is needed.

const PAUSE_MS = 2500;
const LONGEST_PAUSE_MS = 60_000;
/** A page that nobody looks at must not keep its reader signed in. */
const UNTOUCHED_MS = 10 * 60_000;

/** The page as it is now; nothing where the site does not answer with this very page: an error, a sign-in. */
const load = (url: string): Promise<Document | undefined> =>
  new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("GET", url);
    request.responseType = "document";
    request.timeout = 20_000;
    request.onloadend = () => {
      const isThis = request.status === 200 && request.responseURL.split("#")[0] === url;
      resolve((isThis && request.responseXML) || undefined);
    };
    request.send();
  });

/** Each part that has changed is replaced, unless the reader is busy in it. */
const renew = (page: Document) => {
  for (const part of document.querySelectorAll<HTMLElement>("[data-live-part]")) {
    const fresh = page.querySelector<HTMLElement>(`[data-live-part="${part.dataset.livePart}"]`);
    const hasFocus = part.contains(document.activeElement);
    // A part with a key holds a form: it is left alone until what it offers has changed.
    const isSame = part.dataset.liveKey ? part.dataset.liveKey === fresh?.dataset.liveKey : fresh?.isEqualNode(part);
    if (fresh && !hasFocus && !isSame) part.replaceWith(document.importNode(fresh, true));
  }
  // A live region is heard when its text changes, not when it is replaced.
  for (const place of document.querySelectorAll<HTMLElement>("[data-live-text]")) {
    const fresh = page.querySelector<HTMLElement>(`[data-live-text="${place.dataset.liveText}"]`);
    if (!fresh || fresh.textContent === place.textContent) continue;
    place.textContent = fresh.textContent;
    place.dataset.state = fresh.dataset.state;
  }
};

/** Renews the page's parts until there is nothing more to come; `mark` says that there is, and its words what to say if it fails. */
export const startLive = (mark: HTMLElement) => {
  const url = location.href.split("#")[0] as string;
  let touched = Date.now();
  let failures = 0;
  let timer = 0;

  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(refresh, Math.min(PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS));
  };

  const say = (words: string) => {
    const time = document.querySelector<HTMLElement>("[data-live-part=time]");
    if (time) time.textContent = words;
    mark.toggleAttribute("data-lost", true);
  };

  const refresh = async () => {
    const isWatched = document.visibilityState === "visible" && Date.now() - touched < UNTOUCHED_MS;
    if (!isWatched) return;
    const page = await load(url);
    if (!page) {
      failures++;
      if (failures > 1) say(mark.dataset.liveLost ?? "");
      wait();
      return;
    }
    failures = 0;
    mark.removeAttribute("data-lost");
    renew(page);
    if (page.querySelector("[data-live]")) wait();
  };

  const touch = () => {
    const wasAsleep = Date.now() - touched >= UNTOUCHED_MS;
    touched = Date.now();
    if (wasAsleep) wait();
  };
  for (const name of ["pointermove", "keydown", "scroll"]) addEventListener(name, touch, { passive: true });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") wait();
  });
  wait();
};
