// The staff's pages: the editor of notice versions, and campaigns that go on. Without it forms and links do the same; every word comes
// from the page.

import { startAutosave } from "./admin/autosave";
import { startLive } from "./admin/live";
import { startPaste } from "./admin/paste";
import { startPreview } from "./admin/preview";
import { startToolbar } from "./admin/toolbar";

/** One part that fails leaves the others running. */
const attempt = (start: () => void) => {
  try {
    start();
  } catch (error) {
    console.error(error);
  }
};

for (const form of document.querySelectorAll<HTMLFormElement>("form[data-editor]")) {
  for (const bar of document.querySelectorAll<HTMLElement>("[data-toolbar]")) {
    const area = form.elements.namedItem(bar.dataset.toolbar as string);
    if (!(area instanceof HTMLTextAreaElement)) continue;
    attempt(() => startToolbar(bar, area, (name) => form.getAttribute(`data-label-${name}`) ?? undefined));
    attempt(() => startPaste(area));
  }
  attempt(() => startAutosave(form, document.querySelector("[data-autosave-status]")));
  const frame = document.querySelector<HTMLIFrameElement>("iframe[data-preview]");
  if (frame) attempt(() => startPreview(form, frame));
}

const live = document.querySelector<HTMLElement>("[data-live]");
if (live) attempt(() => startLive(live));
