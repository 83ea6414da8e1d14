"use strict";
// One sound at a time; the next one of a mixture goes on where the last one stopped, to compare.
(() => {
  const players = [...document.querySelectorAll("audio")];
  let last = null;
  for (const player of players) {
    player.addEventListener("play", () => {
      // two that take turns stay in step; one that is started by itself plays from where it stands
      const turn = last && last !== player && !last.paused;
      const same = last && last !== player && last.closest("section") === player.closest("section");
      for (const other of players) if (other !== player) other.pause();
      if (same && !last.ended && (turn || player.currentTime === 0)) player.currentTime = last.currentTime;
      last = player;
    });
  }
  for (const picture of document.querySelectorAll("figure img")) {
    picture.addEventListener("click", () => {
      const player = picture.closest("figure").querySelector("audio");
      if (player.paused) player.play();
      else player.pause();
    });
  }
})();
