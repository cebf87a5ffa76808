// Shows which of the two scripts may run. Words come from the page.
(() => {
  const show = (categories) => {
    for (const row of document.querySelectorAll("[data-watch]")) {
      const state = categories[row.dataset.watch] === "granted" ? "granted" : "blocked";
      for (const words of row.querySelectorAll("[data-when]")) {
        words.hidden = words.dataset.when !== state;
      }
    }
  };
  for (const name of ["ready", "decided", "changed", "withdrawn"]) {
    document.addEventListener(`consent-widget:${name}`, (event) => show(event.detail.categories));
  }
})();
