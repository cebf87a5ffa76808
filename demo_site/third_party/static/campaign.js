// Demo Campaign: notes where a visitor came from, for thirty days.
(() => {
  const known = window.demoCampaign || { runs: 0 };
  known.runs += 1;
  window.demoCampaign = known;
  const source = new URLSearchParams(location.search).get("from") || "direct";
  document.cookie = `_demo_campaign=${encodeURIComponent(source)}; path=/; max-age=${30 * 86400}; samesite=lax`;
})();
