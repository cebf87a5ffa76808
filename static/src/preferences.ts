// The preferences document: its form becomes the dialog; its messages, templates and cookie names serve the rest.

import { address } from "./page";
import { append, create, land, language, part } from "./parts";

let known: Promise<HTMLDialogElement> | undefined;

const url = () => address("preferences");

/** The dialog made of the server's preferences page; its style and its messages are moved into this page. */
const fetchDialog = async () => {
  const request = new XMLHttpRequest();
  request.open("GET", `${url()}?lang=${language()}`);
  // Parsed by the browser: no HTML goes through a Trusted Types sink.
  request.responseType = "document";
  await new Promise((done) => {
    request.onloadend = done;
    request.send();
  });
  const section: HTMLElement = request.response.querySelector('[data-consent-widget="preferences"]');
  const dialog = create("dialog");
  for (const { name, value } of section.attributes) dialog.setAttribute(name, value);
  dialog.append(...section.childNodes);
  await Promise.all(
    Array.from(dialog.querySelectorAll<HTMLLinkElement>(":scope>[data-consent-widget]"), (node) => {
      if (part(node.getAttribute("data-consent-widget"))) return node.remove();
      append(node);
      return (
        node.rel &&
        new Promise((loaded) => {
          node.onload = node.onerror = loaded;
        })
      );
    }),
  );
  return dialog;
};

/** The preferences of this page or, from when they are first needed, of the server. */
export const preferences = async (): Promise<HTMLElement> => {
  const present = part("preferences");
  if (present) return present;
  known ??= fetchDialog();
  return known;
};

/** Shows the preferences: those of this page, else as a dialog, else as a page of their own. */
export const open = async (opener?: HTMLElement | null) => {
  const present = part("preferences");
  if (present) return present.querySelector("input")?.focus();
  try {
    known = fetchDialog();
    const dialog = await known;
    // A second click was faster.
    if (part("preferences")) return;
    (dialog.querySelector("[hidden]") as HTMLElement).hidden = false;
    dialog.onclose = () => {
      // A save that failed has opened it again.
      if (dialog.open) return;
      dialog.remove();
      land(opener);
    };
    append(dialog);
    dialog.showModal();
  } catch {
    location.assign(url());
  }
};
