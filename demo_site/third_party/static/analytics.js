// Demo Analytics: counts its runs on this page and knows a browser again by a random number.
(() => {
  const known = window.demoAnalytics || { runs: 0 };
  known.runs += 1;
  window.demoAnalytics = known;
  if (!/(?:^|; )_demo_visitor=/.test(document.cookie)) {
    const number = crypto.getRandomValues(new Uint32Array(2)).join("");
    document.cookie = `_demo_visitor=${number}; path=/; max-age=${182 * 86400}; samesite=lax`;
  }
})();
