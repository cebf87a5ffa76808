(() => {
  const player = document.querySelector(".player");
  const button = document.querySelector(".play");
  button.addEventListener("click", () => {
    const playing = player.classList.toggle("playing");
    button.setAttribute("aria-label", playing ? button.dataset.pause : button.dataset.play);
  });
})();
