"use strict";
// One sound at a time. Another sound of the same section goes on where the last one stopped, to
// compare; so does another method in the same player.
(() => {
  const players = [...document.querySelectorAll("audio")];
  let last = null;
  const seek = (player, at) => {
    if (player.readyState > 0) player.currentTime = at;
    else player.addEventListener("loadedmetadata", () => { player.currentTime = at; }, { once: true });
  };
  const toggle = (player) => (player.paused ? player.play() : player.pause());

  for (const player of players) {
    player.addEventListener("play", () => {
      // two that take turns stay in step; one that is started by itself plays from where it stands
      const turn = last && last !== player && !last.paused;
      const same = last && last !== player && last.closest("section") === player.closest("section");
      for (const other of players) if (other !== player) other.pause();
      if (same && !last.ended && (turn || player.currentTime === 0)) seek(player, last.currentTime);
      last = player;
    });
  }

  // The spectrogram shows the place, and is where one moves it: by a click, or by the arrows.
  for (const wave of document.querySelectorAll(".wave")) {
    const player = wave.closest("figure").querySelector("audio");
    const line = wave.querySelector(".place");
    const length = () => player.duration || Number(player.dataset.seconds);
    const show = () => {
      line.hidden = player.currentTime === 0;
      line.style.left = `${(100 * player.currentTime) / length()}%`;
      wave.setAttribute("aria-valuenow", player.currentTime.toFixed(1));
      wave.setAttribute("aria-valuetext", `${player.currentTime.toFixed(1)} s`);
    };
    const follow = () => {
      show();
      if (!player.paused) requestAnimationFrame(follow);
    };
    const move = (at) => seek(player, Math.min(Math.max(at, 0), length() - 0.01));
    const keys = {
      ArrowLeft: () => move(player.currentTime - 1),
      ArrowRight: () => move(player.currentTime + 1),
      Home: () => move(0),
      End: () => move(length()),
      " ": () => toggle(player),
      Enter: () => toggle(player),
    };
    for (const [name, value] of Object.entries({
      role: "slider", tabindex: 0, "aria-label": `Place, ${wave.dataset.title}`,
      "aria-valuemin": 0, "aria-valuemax": Number(player.dataset.seconds).toFixed(1),
    })) wave.setAttribute(name, value);
    wave.addEventListener("keydown", (event) => {
      if (!keys[event.key] || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      if (player.readyState === 0) player.load();
      keys[event.key]();
    });
    wave.addEventListener("click", (event) => {
      if (player.readyState === 0) player.load();
      move((length() * (event.clientX - wave.getBoundingClientRect().left)) / wave.clientWidth);
      if (player.paused) player.play();
    });
    player.addEventListener("play", follow);
    for (const name of ["timeupdate", "seeked"]) player.addEventListener(name, show);
    show();
  }

  // The buttons of a player change what it plays.
  for (const group of document.querySelectorAll(".player .choice")) {
    const figure = group.closest("figure");
    const player = figure.querySelector("audio");
    const change = (button) => {
      const [at, playing] = [player.currentTime, !player.paused && !player.ended];
      player.src = button.dataset.sound;
      if (at > 0) seek(player, at);
      if (playing) player.play();
      else if (at > 0) player.load();
      figure.querySelector(".wave img").src = button.dataset.image;
      for (const words of figure.querySelectorAll(".words")) {
        words.hidden = words.dataset.method !== button.value;
      }
    };
    group.addEventListener("change", (event) => change(event.target));
    // a choice kept by a reload
    const kept = group.querySelector("input:checked");
    if (kept && !kept.defaultChecked) change(kept);
  }
})();
