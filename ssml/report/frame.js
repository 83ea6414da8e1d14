"use strict";
// What the report's pages share: contents that follow the reader, tables that show that they scroll.
(() => {
  const links = new Map([...document.querySelectorAll("nav.contents a[href^='#']:not(.brand)")]
    .map((link) => [document.getElementById(link.hash.slice(1)), link]));
  const mark = () => {
    // the last section that has begun; at the page's end the last one
    const ended = innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
    const places = [...links.keys()];
    const begun = places.filter((place) => place.getBoundingClientRect().top < innerHeight / 3);
    const now = ended ? places.at(-1) : begun.at(-1) ?? places[0];
    for (const [place, link] of links) {
      if (place !== now) link.removeAttribute("aria-current");
      else if (!link.hasAttribute("aria-current")) {
        link.setAttribute("aria-current", "true");
        const bar = link.parentElement; // beside what a narrow bar shows
        bar.scrollLeft = link.offsetLeft - bar.offsetLeft - (bar.clientWidth - link.offsetWidth) / 2;
      }
    }
  };
  addEventListener("scroll", mark, { passive: true });
  addEventListener("resize", mark);
  if (links.size) mark();

  const measure = (scroll) => {
    const wide = scroll.parentElement;
    const room = scroll.scrollWidth - scroll.clientWidth;
    scroll.tabIndex = room > 1 ? 0 : -1; // no stop where there is nothing to scroll
    wide.querySelector(".more").hidden = room <= 1;
    wide.classList.toggle("right", room > 1 && scroll.scrollLeft < room - 1);
    wide.classList.toggle("left", scroll.scrollLeft > 1);
  };
  const watch = new ResizeObserver((entries) => {
    for (const entry of entries) measure(entry.target.closest(".scroll"));
  });
  for (const scroll of document.querySelectorAll(".wide > .scroll")) {
    scroll.addEventListener("scroll", () => measure(scroll), { passive: true });
    watch.observe(scroll);
    watch.observe(scroll.querySelector("table"));
  }

  // On paper everything is open.
  const closed = [];
  addEventListener("beforeprint", () => {
    closed.push(...document.querySelectorAll("details:not([open])"));
    for (const one of closed) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of closed.splice(0)) one.open = false;
  });
})();
