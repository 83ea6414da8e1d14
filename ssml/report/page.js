"use strict";
(() => {
  const status = document.getElementById("status");

  // Sorting: numbers by data-key, words by their text; what has no value stays at the end.
  const key = (row, index) => {
    const cell = row.cells[index];
    const text = cell.dataset.key ?? cell.textContent.trim().replaceAll(",", "");
    if (text === "") return null;
    const number = Number(text.replace("\u2212", "-"));
    return Number.isNaN(number) ? text : number;
  };
  const compare = (a, b, sign) => {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    return sign * String(a).localeCompare(String(b));
  };
  const sort = (table, index, order) => {
    const body = table.tBodies[0];
    const sign = order === "ascending" ? 1 : -1;
    const rows = [...body.rows].map((row) => [key(row, index), row]);
    rows.sort((a, b) => compare(a[0], b[0], sign));
    body.append(...rows.map((pair) => pair[1]));
    const headings = table.tHead.rows[0].cells;
    [...headings].forEach((th, i) => th.setAttribute("aria-sort", i === index ? order : "none"));
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((th, index) => {
      th.querySelector("button").addEventListener("click", () => {
        // numbers start with the largest, words with the first
        const first = th.classList.contains("num") ? "descending" : "ascending";
        const other = first === "ascending" ? "descending" : "ascending";
        const order = th.getAttribute("aria-sort") === first ? other : first;
        sort(table, index, order);
        status.textContent = `Sorted by ${th.textContent.trim()}, ${order}`;
      });
    });
  }

  // Any baseline: the intervals of every pair are in the page (page.py writes the first one's cells).
  const pairs = JSON.parse(document.getElementById("comparisons").textContent);
  const form = (value, digits, signed) => {
    const text = Math.abs(value).toFixed(digits);
    const zero = Number(text) === 0;
    return (value < 0 && !zero ? "\u2212" : signed ? "+" : "") + text;
  };
  const sides = { up: ["\u25b2", "better"], down: ["\u25bc", "worse"], same: ["\u25cb", "inconclusive"] };
  const element = (name, attributes, ...children) => {
    const made = document.createElement(name);
    for (const [k, v] of Object.entries(attributes)) made.setAttribute(k, v);
    made.append(...children);
    return made;
  };
  const show = (cell, triple, baseline) => {
    cell.replaceChildren(baseline ? element("small", {}, "baseline") : "");
    cell.dataset.key = triple ? triple[0] : "";
    if (!triple) return;
    const digits = cell.dataset.metric === "wer" ? 0 : 1;
    const [mean, low, high] = triple;
    const known = low !== null && high !== null;
    const side = known && low > 0 ? "up" : known && high < 0 ? "down" : "same";
    const [sign, word] = sides[side];
    cell.append(
      element("span", { class: side },
        element("span", { "aria-hidden": "true" }, sign), element("span", { class: "sr" }, word)),
      ` ${form(mean, digits, true)}`,
      element("small", {}, known ? `${form(low, digits)} to ${form(high, digits)}` : ""),
    );
  };
  const select = document.getElementById("baseline");
  const rebase = () => {
    for (const name of document.querySelectorAll(".base")) name.textContent = select.value;
    for (const table of document.querySelectorAll("table[data-set]")) {
      for (const row of table.tBodies[0].rows) {
        for (const cell of row.querySelectorAll("[data-metric]")) {
          const against = pairs[table.dataset.set][cell.dataset.metric][select.value];
          show(cell, against[row.dataset.method], row.dataset.method === select.value);
        }
      }
    }
    status.textContent = `Differences are now against ${select.value}`;
  };
  select.closest("p").hidden = false;
  select.addEventListener("change", rebase);
  if (!select.options[select.selectedIndex].defaultSelected) rebase(); // a choice kept by a reload
})();
