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
  const { pairs, values } = JSON.parse(document.getElementById("embedded").textContent);
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
  const kinds = {
    si_sdr: ["SI-SDR, dB", 1], sdr: ["SDR, dB", 1], stoi: ["STOI", 2], pesq: ["PESQ", 2], wer_capped: ["Capped word errors, % fewer", 0],
  };
  // a bound that would be rounded to zero gets the digits that tell its side
  const bound = (value, digits) => {
    let needed = digits;
    while (value !== 0 && needed < digits + 3 && Number(value.toFixed(needed)) === 0) needed += 1;
    return form(value, needed);
  };
  const bounds = ([, low, high], digits) =>
    low === null || high === null ? "" : `${bound(low, digits)} to ${bound(high, digits)}`;
  const mark = ([, low, high]) => {
    const known = low !== null && high !== null;
    const side = known && low > 0 ? "up" : known && high < 0 ? "down" : "same";
    const [sign, word] = sides[side];
    return element("span", { class: side },
      element("span", { "aria-hidden": "true" }, sign), element("span", { class: "sr" }, word));
  };
  const show = (cell, pair, baseline) => {
    cell.replaceChildren(baseline ? element("small", {}, "baseline") : "");
    cell.dataset.key = pair ? pair[0] : "";
    if (!pair) return;
    const digits = kinds[cell.dataset.metric][1];
    cell.append(mark(pair), ` ${form(pair[0], digits, true)}`, element("small", {}, bounds(pair, digits)));
  };
  const select = document.getElementById("baseline");
  const rebase = () => {
    for (const name of document.querySelectorAll(".base")) name.textContent = select.value;
    for (const table of document.querySelectorAll("table[data-set]")) {
      for (const row of table.tBodies[0].rows) {
        for (const cell of row.querySelectorAll("[data-metric]")) {
          const against = pairs[table.dataset.set][cell.dataset.metric][select.value];
          show(cell, against?.[row.dataset.method], row.dataset.method === select.value);
        }
      }
    }
    status.textContent = `Differences are now against ${select.value}`;
  };
  for (const control of document.querySelectorAll(".control")) control.hidden = false;
  select.addEventListener("change", rebase);
  if (!select.options[select.selectedIndex].defaultSelected) rebase(); // a choice kept by a reload

  // Any two methods: a table of differences, and a plot of the mixtures for each set.
  const draw = (name, attributes, ...children) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [k, v] of Object.entries(attributes)) made.setAttribute(k, v);
    made.append(...children);
    return made;
  };
  const plot = (set, a, b) => {
    const points = values[set][b].map((x, i) => [x, values[set][a][i]])
      .filter(([x, y]) => x !== null && y !== null);
    const all = points.flat();
    const step = 5;
    const low = Math.floor((Math.min(...all, 0) - 1) / step) * step;
    const high = Math.ceil((Math.max(...all, 0) + 1) / step) * step;
    const [left, top, side] = [46, 26, 250];
    const x = (v) => left + ((v - low) / (high - low)) * side;
    const y = (v) => top + side - ((v - low) / (high - low)) * side;
    const text = (at, up, content, more) => draw("text", { x: at, y: up, ...more }, content);
    const above = points.filter(([u, v]) => v > u).length;
    const said = `${set}: ${a} is above ${b} on ${above} of ${points.length} mixtures`;
    const svg = draw("svg", { viewBox: "0 0 310 330", role: "img", "aria-label": said, class: "pair" });
    svg.append(text(left, 14, set, { class: "head" }));
    for (let v = low; v <= high; v += step) {
      svg.append(
        draw("path", { d: `M${x(v)} ${top}V${top + side}M${left} ${y(v)}H${left + side}`, class: "grid" }),
        text(x(v), top + side + 15, form(v, 0), { "text-anchor": "middle" }),
        text(left - 6, y(v) + 4, form(v, 0), { "text-anchor": "end" }),
      );
    }
    svg.append(draw("path", { d: `M${x(low)} ${y(low)}L${x(high)} ${y(high)}`, class: "equal" }));
    for (const [u, v] of points) {
      // triangles above the diagonal, dots below: no need of colour
      svg.append(v > u
        ? draw("path", { d: `M${x(u)} ${y(v) - 5}l4.6 8h-9.2z`, class: "point a" })
        : draw("circle", { cx: x(u), cy: y(v), r: 3.6, class: "point b" }));
    }
    svg.append(
      text(left + side / 2, top + side + 32, `${b}, SI-SDR in dB`, { "text-anchor": "middle" }),
      text(-(top + side / 2), 12, `${a}, SI-SDR in dB`,
        { "text-anchor": "middle", transform: "rotate(-90)" }),
    );
    return element("div", { class: "picture" }, svg, element("p", { class: "said" }, said));
  };
  // where `make ui` shows both methods side by side
  const inMlflow = (a, b) => {
    const found = [a, b].map((name) => (window.SSML_RUNS ?? []).find((run) => run.job === `evaluate:${name}`));
    if (!found.every((run) => run?.experiment)) return null;
    const list = (key) => encodeURIComponent(JSON.stringify([...new Set(found.map((run) => run[key]))]));
    const url = `http://127.0.0.1:5000/#/compare-runs?runs=${list("id")}&experiments=${list("experiment")}`;
    return element("a", { href: url }, `${a} and ${b}`);
  };
  const [first, second] = ["first", "second"].map((id) => document.getElementById(id));
  const together = () => {
    const [a, b] = [first.value, second.value];
    const table = document.getElementById("pair");
    const rows = [];
    for (const [set, metrics] of Object.entries(pairs)) {
      for (const [metric, [label, digits]] of Object.entries(kinds)) {
        const pair = metrics[metric]?.[b]?.[a];
        if (!pair) continue;
        const [mean, , , p] = pair;
        rows.push(element("tr", {},
          element("th", { scope: "row" }, set), element("td", {}, label),
          element("td", { class: "num" }, mark(pair), ` ${form(mean, digits, true)}`),
          element("td", { class: "num" }, bounds(pair, digits)),
          element("td", { class: "num" }, p === null ? "" : p < 0.001 ? "< 0.001" : p.toFixed(3))));
      }
    }
    table.tBodies[0].replaceChildren(...rows);
    table.hidden = a === b;
    // a method may have been tested on some of the sets
    const both = Object.keys(values).filter((set) => a !== b && values[set][a] && values[set][b]);
    const plots = both.map((set) => plot(set, a, b));
    document.getElementById("pair-plots").replaceChildren(...plots);
    const link = a === b ? null : inMlflow(a, b);
    const place = document.getElementById("pair-runs");
    place.hidden = link === null;
    place.querySelector("span").replaceChildren(...(link ? [" ", link] : []));
    status.textContent = a === b ? "Choose two methods" : `Compared ${a} with ${b}`;
  };
  for (const choice of [first, second]) choice.addEventListener("change", together);
  document.getElementById("swap").addEventListener("click", () => {
    [first.value, second.value] = [second.value, first.value];
    together();
  });
  together();

  // The sounds are another stage's work, which may be still to come.
  for (const sound of document.querySelectorAll(".sounds audio")) {
    sound.addEventListener("error", () => sound.replaceWith(
      element("p", { class: "note small" }, "This sound is not there: snakemake reports/listen.html makes it.")));
  }

  // One condition at a time.
  const condition = document.getElementById("condition");
  const choose = () => {
    for (const block of document.querySelectorAll("[data-condition]")) {
      block.hidden = block.dataset.condition !== condition.value;
    }
  };
  condition?.addEventListener("change", choose);
  if (condition) choose();

  // Runs and times are known after this page is made: in a file beside it.
  const took = (s) => {
    if (s === null) return "";
    if (s < 60) return `${s.toFixed(1)} s`;
    const minutes = Math.round(s / 60);
    if (minutes < 60) return `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s`;
    return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  };
  const cells = (kind, ...texts) => texts.map((text) => element("td", { class: kind }, text));
  const fill = (id, rows) => {
    const block = document.getElementById(id);
    block.hidden = rows.length === 0;
    block.querySelector("tbody").append(
      ...rows.map(([name, ...rest]) => element("tr", {}, element("th", { scope: "row" }, name), ...rest)));
  };
  const times = window.SSML_TIMES ?? { cores: 0, stages: [] };
  document.getElementById("cores").textContent = times.cores === 1 ? "1 core" : `${times.cores} cores`;
  fill("times", times.stages.map((one) => [one.stage, ...cells("num", String(one.jobs),
    took(one.seconds), took(one.longest), took(one.cpu),
    one.memory === null ? "" : `${Math.round(one.memory)} MB`)]));
  const code = (text) => element("code", {}, text);
  fill("runs", (window.SSML_RUNS ?? []).map((run) => [run.name,
    ...cells("", code(run.id.slice(0, 8)), code(run.commit.replace(/^(.{10}).*?(-dirty)?$/, "$1$2")), run.began),
    ...cells("num", took(run.seconds))]));
})();
