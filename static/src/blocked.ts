// Scripts and frames that wait for a consent, in the page from the start or added later.

import { granted, root } from "./page";
import { create } from "./parts";
import { preferences } from "./preferences";

interface Policy {
  createScriptURL(url: string): string;
  createScript(text: string): string;
}

let policy: Policy | undefined;

const trust = () => {
  const rules: Policy = { createScriptURL: (url) => url, createScript: (text) => text };
  const factory = (window as { trustedTypes?: { createPolicy(name: string, rules: Policy): Policy } }).trustedTypes;
  policy ??= factory?.createPolicy("consent-widget", rules) ?? rules;
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
    for (const { name, value } of blocked.attributes) if (!/^(type|src)$/.test(name)) script.setAttribute(name, value);
    // The browser hides the attribute of an element in the page, but not the property.
    script.nonce = blocked.nonce as string;
    if (type) script.type = type;
    script.onload = script.onerror = next;
    if (src) script.src = trust().createScriptURL(src);
    else script.text = trust().createScript(blocked.text);
    if (script.async || !(src || type === "module")) next(0);
  });

let isRunning = false;

const runScripts = async () => {
  if (isRunning) return;
  isRunning = true;
  for (;;) {
    const waiting = [...root.querySelectorAll<HTMLScriptElement>('script[type="text/plain"][data-category]')].filter(
      isAllowed,
    );
    // Deferred scripts and modules come after the others, as they do in a page that is being parsed.
    const next = waiting.find((script) => !script.defer && !script.getAttribute("data-type")) ?? waiting[0];
    if (!next) break;
    await run(next).catch(() => {});
  }
  isRunning = false;
};

const FRAME = ".consent-widget-frame";

const block = async (frame: HTMLIFrameElement) => {
  const src = frame.getAttribute("src");
  if (src) {
    // Taking the address away leaves the document in the frame; only a new frame is empty.
    const empty = frame.cloneNode() as HTMLIFrameElement;
    empty.removeAttribute("src");
    empty.setAttribute("data-src", src);
    frame.replaceWith(empty);
    // The new frame is seen as one that was added.
  } else if (!frame.closest(FRAME)) {
    const words = await preferences();
    const template = words.querySelector<HTMLTemplateElement>(
      `template[data-category="${frame.getAttribute("data-category")}"]`,
    );
    if (!template || isAllowed(frame) || frame.closest(FRAME)) return;
    const place = create("div");
    place.className = "consent-widget consent-widget-frame";
    frame.replaceWith(place);
    place.append(template.content.cloneNode(true), frame);
  }
};

/** Brings every script and frame in line with the state. */
export const apply = () => {
  runScripts();
  for (const frame of root.querySelectorAll<HTMLIFrameElement>("iframe[data-category]")) {
    const src = frame.getAttribute("data-src");
    if (!isAllowed(frame)) block(frame).catch(() => {});
    else if (src && !frame.src) {
      frame.closest(FRAME)?.replaceWith(frame);
      // `javascript:` would run in this page.
      if (new URL(src, location.href).protocol !== "javascript:") frame.src = src;
    }
  }
};
