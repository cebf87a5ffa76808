// Scripts and frames that wait for a consent, in the page from the start or added later.

import { granted, root } from "./page";
import { create } from "./parts";
import { preferences } from "./preferences";

interface Policy {
  createScriptURL(url: string): string;
  createScript(text: string): string;
}

interface Factory {
  createPolicy(name: string, rules: Policy): Policy;
}

let policy: Policy | undefined;

/** The policy, made when it is first needed: a host may allow its name only where something is blocked. */
const trust = () => {
  const factory = (window as { trustedTypes?: Factory }).trustedTypes ?? { createPolicy: (_, rules) => rules };
  policy ??= factory.createPolicy("consent-widget", { createScriptURL: (url) => url, createScript: (text) => text });
  return policy;
};

const isAllowed = (node: Element) => granted(node.getAttribute("data-category"));

/** Replaces a blocked script by one that runs; resolves when the next one may. */
const run = (blocked: HTMLScriptElement) =>
  new Promise<unknown>((next) => {
    const script = create("script");
    const src = blocked.getAttribute("data-src") ?? blocked.getAttribute("src");
    const type = blocked.getAttribute("data-type");
    blocked.replaceWith(script);
    // A script made by a script is async unless told otherwise.
    script.async = false;
    for (const { name, value } of blocked.attributes) {
      if (/^(type|src)$/.test(name)) continue;
      try {
        script.setAttribute(name, value);
      } catch {
        // An inline handler, under Trusted Types.
      }
    }
    // The browser hides the attribute of an element in the page, but not the property.
    script.nonce = blocked.nonce as string;
    if (type) script.type = type;
    for (const event of ["load", "error"]) script.addEventListener(event, next);
    if (src) script.src = trust().createScriptURL(src);
    else script.text = trust().createScript(blocked.text);
    // Only what is fetched tells when it is done.
    if (script.async || !src) next(0);
  });

let earlier: Promise<unknown> = Promise.resolve();

const runScripts = async () => {
  for (;;) {
    const waiting = [...root.querySelectorAll<HTMLScriptElement>('script[type="text/plain"][data-category]')].filter(
      isAllowed,
    );
    // Deferred scripts and modules come after the others, as they do in a page that is being parsed.
    const next = waiting.find((script) => !script.defer && !script.getAttribute("data-type")) ?? waiting[0];
    if (!next) break;
    await run(next);
  }
};

/** The element that holds a frame together with its placeholder. */
const around = (frame: Element) => frame.closest('[data-consent-widget="frame"]');

const block = async (frame: HTMLIFrameElement) => {
  const src = frame.getAttribute("src");
  if (src) {
    // Taking the address away leaves the document in the frame; only a new frame is empty. It is seen as one that was added.
    const empty = frame.cloneNode() as HTMLIFrameElement;
    empty.removeAttribute("src");
    empty.setAttribute("data-src", src);
    frame.replaceWith(empty);
  } else if (!around(frame)) {
    const words = await preferences();
    const template = words.querySelector<HTMLTemplateElement>(
      `template[data-category="${frame.getAttribute("data-category")}"]`,
    );
    const place = template?.content.firstElementChild?.cloneNode(true) as Element;
    if (!template || isAllowed(frame) || around(frame)) return;
    frame.replaceWith(place);
    place.append(frame);
  }
};

/** Brings every script and frame in line with the state. */
export const apply = () => {
  earlier = earlier.then(runScripts).catch(() => {});
  for (const frame of root.querySelectorAll<HTMLIFrameElement>("iframe[data-category]")) {
    const src = frame.getAttribute("data-src");
    if (!isAllowed(frame)) block(frame).catch(() => {});
    else if (src && !frame.src) {
      around(frame)?.replaceWith(frame);
      // An address of another kind, such as `javascript:`, could run in this page.
      if (new URL(src, location.href).protocol.match("http")) frame.src = src;
    }
  }
};
