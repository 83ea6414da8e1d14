"""Published tables: README and docs/ between markers, written from docs/results/*.csv.

A marker names a kind of table (`KINDS`), a file in docs/results and what the kind asks for:

    <!-- table: summary study si_sdr laplace-iss learned-sdr-20 -->
    ...
    <!-- /table -->
"""

import math
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ssml.config.layout import MIXTURE
from ssml.config.names import CLASSICAL_NAMES
from ssml.evaluation.statistics import Interval
from ssml.files import io
from ssml.files.errors import UserError

from . import tables
from .transcripts import RULE

Cells = dict[str, str]
MARKED = re.compile(r"(<!-- table: (.*?) -->\n).*?(<!-- /table -->)", re.S)
TITLES = {
    "si_sdr": "SI-SDR in dB",
    "sdr": "SDR in dB",
    "wer_capped": "capped WER in %",
    "wer": "WER in %",
    "stoi": "STOI",
}
# what stands for these in files that have it: older ones have word error rates without a cap
CAPPED = {"wer": "wer_capped", "wer_reduction": "wer_capped_reduction"}
# quantity of a difference -> its title and the most decimals
DIFFERENCES = {
    "si_sdr": ("difference in SI-SDR in dB", 2),
    "wer_capped_reduction": ("capped word errors fewer, in % of the baseline's", 0),
    "wer_reduction": ("word errors fewer, in % of the baseline's", 0),
    "wer_recovered": ("word errors fewer, in % of the baseline's above the reference's", 0),
    "iterations_to_90": ("more iterations to 90 % of the gain in SI-SDR", 1),
}


class Published:
    """The tables of the folder `results`, for a document that lies in the folder `base`."""

    def __init__(self, results: Path, base: Path) -> None:
        self.results, self.base = results, base

    def render(self, document: str) -> str:
        """`document` with the text between each pair of markers made anew."""

        def replace(match: re.Match[str]) -> str:
            kind, name, *arguments = match[2].split()
            if kind not in KINDS:
                raise UserError(f"marker '{match[2]}': no such kind; one of {', '.join(KINDS)}")
            return f"{match[1]}\n{KINDS[kind](self, name, *arguments)}\n{match[3]}"

        return MARKED.sub(replace, document)

    def read(self, name: str) -> list[Cells]:
        return io.read_table(self.results / f"{name}.csv")

    def rows(self, name: str, methods: Sequence[str] = ()) -> list[tables.Row]:
        """The rows of a summary: all, or those of `methods` in this order."""
        rows = [_row(cells) for cells in self.read(name)]
        known = list(dict.fromkeys(row.method for row in rows))
        if unknown := set(methods) - set(known):
            raise UserError(f"{name}.csv: no rows of {', '.join(sorted(unknown))}")
        order = list(methods) or known
        sets = list(dict.fromkeys(row.test_set for row in rows))
        kept = [row for row in rows if row.method in order]
        return sorted(kept, key=lambda row: (sets.index(row.test_set), order.index(row.method)))

    def headline(self, name: str, *methods: str) -> str:
        """SI-SDR and word error rate of a few methods in words, and where the numbers are from."""
        rows = self.rows(name, methods)
        sets = [_talkers(name) for name in dict.fromkeys(row.test_set for row in rows)]
        rate = _known("wer", rows)
        head = [
            "",
            *(f"{TITLES[quantity]}, {words}" for quantity in ("si_sdr", rate) for words in sets),
        ]
        body = []
        for method in dict.fromkeys(row.method for row in rows):
            own = [row for row in rows if row.method == method]
            cells = [tables.decibels(row.si_sdr) for row in own]
            body.append(
                [_label(own[0]), *cells, *(tables.percent(getattr(row, rate)) for row in own)]
            )
        note = f"{RULE} " if rate in CAPPED.values() else ""
        return f"{_table(head, body)}\n{note}{self.source(name)}"

    def summary(self, name: str, quantity: str, *methods: str) -> str:
        """One quantity, methods down and sets across, the best in bold."""
        rows = self.rows(name, methods)
        if quantity == "stoi":
            cells = {(r.method, r.test_set): f"{r.stoi.mean:.2f}" for r in rows if r.stoi}
            return self._pivot(TITLES[quantity], cells)
        quantity = _known(quantity, rows)
        (found,) = [p for p in tables.pivots(rows) if p.title == TITLES[quantity]]
        head = [found.title, *(_talkers(test_set) for test_set, _ in found.sets)]
        body = [
            [f"`{method}`", *(f"**{text}**" if best else text for text, best in cells)]
            for method, cells in found.rows
        ]
        return _table(head, body) + (f"\n{RULE}\n" if quantity in CAPPED.values() else "")

    def claims(self, name: str) -> str:
        """The claims and the word on each."""
        found = {row["claim"]: row for row in self.read(f"{name}-claims")}
        body = [[n, row["statement"], f"**{row['verdict']}**"] for n, row in found.items()]
        return _table(["", "claim", "in this run"], body, left=3)

    def evidence(self, name: str) -> str:
        """Each claim with the comparisons that it rests on."""
        lines, claim = [], ""
        for row in self.read(f"{name}-claims"):
            if row["claim"] != claim:
                claim = row["claim"]
                lines.append(f"\n**{claim}. {row['statement']}** In this run: {row['verdict']}.\n")
            lines.append(f"* {row['what']}: {row['numbers']} ({row['status']})")
        return "\n".join(lines).lstrip("\n") + "\n"

    def differences(self, name: str, quantity: str, *pairs: str) -> str:
        """Paired differences, sets across; a pair is `METHOD:BASELINE`, none are all."""
        cells, rows = {}, self.read(f"{name}-differences")
        if CAPPED.get(quantity) in {row["quantity"] for row in rows}:
            quantity = CAPPED[quantity]
        title, digits = DIFFERENCES[quantity]
        rows = [row for row in rows if row["quantity"] == quantity]
        for pair in pairs or dict.fromkeys(map(_pair, rows)):
            for row in (row for row in rows if _pair(row) == pair):
                first, second = (_after(row, key) for key in ("", "baseline_"))
                key = f"`{row['method']}`{first} against `{row['baseline']}`{second}"
                cells[key, row["set"]] = _signed(_interval(row, "value"), digits)
        return self._pivot(title, cells, code=False)

    def iterations(self, name: str, test_set: str, *methods: str) -> str:
        """SI-SDR after so many iterations."""
        rows = [row for row in self.read(f"{name}-iterations") if row["set"] == test_set]
        counts = list(dict.fromkeys(row["iterations"] for row in rows))
        cells: dict[str, Cells] = {}
        for row in rows:
            cells.setdefault(row["method"], {})[row["iterations"]] = f"{float(row['si_sdr']):.1f}"
        head = [f"SI-SDR in dB, {_talkers(test_set)}", *(f"{n} iterations" for n in counts)]
        chosen = methods or cells
        return _table(head, [[f"`{m}`", *(cells[m].get(n, "") for n in counts)] for m in chosen])

    def conditions(self, name: str, condition: str, title: str) -> str:
        """Improvement of SI-SDR where a condition is low, middle and high."""
        rows = [row for row in self.read(f"{name}-conditions") if row["condition"] == condition]
        thirds = list(dict.fromkeys(row["third"] for row in rows))
        body: dict[tuple[str, str], list[str]] = {}
        for row in rows:
            key = row["set"], f"{title.replace('_', ' ')}"
            bounds = f"{row['from']} to {row['to']} {row['unit']}"
            if bounds not in body.setdefault(key, []):
                body[key].append(bounds)
            cell = tables.decibels(_interval(row, "gain"))
            body.setdefault((row["set"], f"`{row['method']}`"), []).append(cell)
        lines = [[_talkers(test_set), label, *cells] for (test_set, label), cells in body.items()]
        return _table(["", "SI-SDR improvement in dB", *thirds], lines, left=2)

    def plain(self, name: str) -> str:
        """A file as it is."""
        rows = self.read(name)
        return _table(list(rows[0]), [list(row.values()) for row in rows])

    def source(self, name: str) -> str:
        """What stands with a figure: command, date, seed, data, versions."""
        (row,) = [row for row in self.read("sources") if row["file"] == name]
        link = os.path.relpath(self.results / f"{name}.csv", self.base)
        parts = [
            f"by `{row['command']}`, {row['date']}" if row["command"] else row["date"],
            f"seed {row['seed']}" if row["seed"] else "",
            f"mixtures: {row['mixtures']}" if row["mixtures"] else "",
            f"test speakers: {row['speakers']}" if row["speakers"] else "",
            row["conditions"],
            row["versions"],
        ]
        return f"Measured {'; '.join(filter(None, parts))}. Data: [{name}.csv]({link}).\n"

    def _pivot(self, title: str, cells: dict[tuple[str, str], str], code: bool = True) -> str:
        down = dict.fromkeys(key for key, _ in cells)
        across = sorted(dict.fromkeys(test_set for _, test_set in cells))
        body = [
            [f"`{key}`" if code else key, *(cells.get((key, test_set), "") for test_set in across)]
            for key in down
        ]
        return _table([title, *map(_talkers, across)], body)


KINDS: dict[str, Callable[..., str]] = {
    "headline": Published.headline,
    "summary": Published.summary,
    "claims": Published.claims,
    "evidence": Published.evidence,
    "differences": Published.differences,
    "iterations": Published.iterations,
    "conditions": Published.conditions,
    "plain": Published.plain,
    "source": Published.source,
}


def _table(head: Sequence[str], body: Sequence[Sequence[str]], left: int = 1) -> str:
    """A GitHub table; the first `left` columns are text, the others numbers."""
    rule = "|" + "---|" * left + "---:|" * (len(head) - left)
    return "\n".join([_line(head), rule, *map(_line, body)]) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _talkers(test_set: str) -> str:
    """`test3` has three talkers, and so has `real3`; a set of another name is called by it."""
    for start, where in (("test", ""), ("real", ", measured room")):
        count = test_set.removeprefix(start)
        if count.isdigit():
            return f"{count} talkers{where}"
    return test_set


def _label(row: tables.Row) -> str:
    """What a method is, in words."""
    if row.method == MIXTURE:
        return "unprocessed mixture"
    if row.is_bound:
        return f"bound that knows the sources: `{row.model}`"
    how = f"{row.iterations} iterations of `{row.rule}`"
    if row.model not in CLASSICAL_NAMES:
        return f"**learned: `{Path(row.model).stem}`**, {how}"
    kind = "classical" if row.model == "laplace" else "best classical by SI-SDR"
    return f"{kind}: `{row.model}`, {how}"


def _known(quantity: str, rows: Sequence[tables.Row]) -> str:
    """The word error rate that is shown where `wer` is asked for; any other quantity itself."""
    capped = CAPPED.get(quantity, "")
    return capped if capped and any(getattr(row, capped) for row in rows) else quantity


def _pair(row: Cells) -> str:
    return f"{row['method']}:{row['baseline']}"


def _after(row: Cells, prefix: str) -> str:
    count = row[f"{prefix}iterations"]
    return f" after {count} iterations" if count else ""


def _interval(cells: Cells, name: str) -> Interval | None:
    """A mean and its bounds; columns of the bounds are `low`, `high` or begin with `name`."""
    if not cells.get(name):
        return None
    ends = [cells.get(f"{name}{end}", cells.get(end[1:], "")) for end in ("_low", "_high")]
    low, high = (float(text) if text else math.nan for text in ends)
    return Interval(float(cells[name]), low, high, int(cells.get("mixtures") or 0))


def _signed(interval: Interval | None, digits: int) -> str:
    if interval is None:
        return ""
    mean, low, high = (f"{round(x, digits) + 0.0:+g}" for x in interval[:3])
    return f"{mean} [{low}, {high}]" if math.isfinite(interval.low) else mean


def _row(cells: Cells) -> tables.Row:
    """A row of a summary as the report knows it."""
    counts: dict[str, Any] = {
        name: int(cells[name]) if cells.get(name) else None
        for name in ("iterations", "mixtures", "failures")
    }
    means: dict[str, Any] = {name: _interval(cells, name) for name in tables.QUANTITIES}
    return tables.Row(
        test_set=cells["set"],
        speakers=int(cells["n_src"]),
        method=cells["method"],
        model=cells["model"],
        rule=cells["rule"],
        errors=None,
        heard=None,
        **counts,
        **means,
    )
