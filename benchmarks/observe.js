// Runs in each measured page before anything else. Without the widget the same watching is done, so it costs both alike.
(() => {
  const seen = { shift: 0, moved: [], tasks: 0, largest: null, banner: [], script: 0, gone: null };
  window.benchmark = seen;

  const watch = (type, note) =>
    new PerformanceObserver((list) => list.getEntries().forEach(note)).observe({ type, buffered: true });
  watch("layout-shift", (entry) => {
    seen.shift += entry.value;
    for (const { node } of entry.sources) seen.moved.push(node?.className || node?.nodeName || "a node that is gone");
  });
  watch("longtask", () => {
    seen.tasks += 1;
  });
  watch("largest-contentful-paint", (entry) => {
    const ours = Boolean(entry.element?.closest(".consent-widget"));
    seen.largest = { at: entry.startTime, ours };
  });
  watch("long-animation-frame", (entry) => {
    for (const script of entry.scripts) {
      if (script.sourceURL.includes("/privacy/assets/")) seen.script = Math.max(seen.script, script.duration);
    }
  });

  // Element Timing tells when the pixels of an element's text came to the screen, in the same clock as the first paint.
  // A name that is given before the element is first painted is enough; the parser's own pauses come before that.
  watch("element", (entry) => {
    if (entry.identifier === "banner" && entry.intersectionRect.width) seen.banner.push(entry.renderTime);
  });
  const name = () => {
    for (const words of document.querySelectorAll(".consent-widget-banner :is(h2, p, li)")) {
      words.setAttribute("elementtiming", "banner");
    }
  };
  new MutationObserver(name).observe(document, { childList: true, subtree: true });

  // From a click to the frame in which the banner is no more: the callback after a frame's painting.
  addEventListener(
    "click",
    (event) => {
      const look = () =>
        requestAnimationFrame(() => {
          if (document.querySelector(".consent-widget-banner")?.getClientRects().length) return look();
          const { port1, port2 } = new MessageChannel();
          port1.onmessage = () => {
            seen.gone = performance.now() - event.timeStamp;
          };
          port2.postMessage(0);
        });
      look();
    },
    { capture: true, once: true },
  );
})();
