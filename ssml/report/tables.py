"""The summary: one row per set and method, as CSV, for the terminal, and as Markdown."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .. import provenance
from ..layout import MIXTURE, REFERENCE
from ..statistics import Interval, mean_interval, ratio_interval
from .results import Results

COLUMNS = (
    *("set", "n_src", "method", "model", "rule", "iterations", "mixtures", "failures"),
    *("si_sdr", "si_sdr_low", "si_sdr_high", "sdr", "sdr_low", "sdr_high"),
    *("wer", "wer_low", "wer_high"),
)


class Row(NamedTuple):
    """One method on one set; None where a quantity does not apply."""

    set: str
    speakers: int
    method: str
    model: str
    rule: str
    iterations: int | None
    mixtures: int | None
    failures: int | None
    si_sdr: Interval | None  # dB
    sdr: Interval | None  # dB
    wer: Interval | None  # 0 to 1 and beyond

    def cells(self) -> dict[str, Any]:
        """The row of `summary.csv`."""
        row: dict[str, Any] = {
            "set": self.set,
            "n_src": self.speakers,
            **{name: getattr(self, name) for name in COLUMNS[2:8]},
        }
        for name in ("si_sdr", "sdr", "wer"):
            interval = getattr(self, name) or (math.nan,) * 3
            for suffix, value in zip(("", "_low", "_high"), interval[:3], strict=True):
                row[name + suffix] = value if math.isfinite(value) else None
        return {name: "" if value is None else value for name, value in row.items()}

    def metrics(self) -> dict[str, float]:
        """The means and their bounds by name and unit, for tracking."""
        named = {"SI-SDR dB": self.si_sdr, "SDR dB": self.sdr, "WER": self.wer}
        values = {"failures": float(self.failures or 0)}
        for name, interval in named.items():
            if interval is not None:
                values |= {name: interval.mean, f"{name} low": interval.low}
                values[f"{name} high"] = interval.high
        return values


def summarise(results: Results) -> list[Row]:
    """All rows, set by set: the mixture, the methods in their order, the reference."""
    return [
        _row(results, set, method)
        for set in results.sets
        for method in (MIXTURE, *results.methods, REFERENCE)
        if (method, set) in results.scores or (method, set) in results.transcripts
    ]


def _row(results: Results, set: str, method: str) -> Row:
    params, given = results.params, results.methods.get(method)
    scores = results.scores.get((method, set))
    counts = results.transcripts.get((method, set))
    n = params.report.resamples

    def rng(metric: str):
        return provenance.generator(params.seed, "report", set, method, metric)

    return Row(
        set=set,
        speakers=results.speakers(set),
        method=method,
        model=given.model if given else "",
        rule=given.rule if given else "",
        iterations=given.iterations if given else None,
        mixtures=len(scores.ids) if scores else len(counts or {}),
        failures=scores.failures if scores else None,
        si_sdr=mean_interval(scores.columns["si_sdr"], n, rng("si_sdr")) if scores else None,
        sdr=mean_interval(scores.columns["sdr"], n, rng("sdr")) if scores else None,
        wer=ratio_interval(counts, n, rng("wer")) if counts else None,
    )


def decibels(interval: Interval | None) -> str:
    """A mean and its bounds in dB: `5.3 [4.9, 5.8]`."""
    return _spread(interval, 1)


def percent(interval: Interval | None) -> str:
    """A rate and its bounds in per cent: `31 [27, 36]`."""
    return _spread(interval, 0, scale=100)


def _spread(interval: Interval | None, digits: int, scale: float = 1) -> str:
    if interval is None:
        return ""
    if not math.isfinite(interval.mean):
        return "n/a"
    mean, low, high = (
        f"{round(scale * x, digits) + 0.0:.{digits}f}" for x in interval[:3]
    )  # no "-0"
    return f"{mean} [{low}, {high}]" if math.isfinite(interval.low) else mean


def ascii_table(rows: Sequence[Row]) -> str:
    """The summary for a terminal: aligned columns, a rule between the sets."""
    head = ["set", "method", "n", "failed", "SI-SDR dB [95 %]", "SDR dB [95 %]", "WER % [95 %]"]
    if not any(row.wer for row in rows):
        head.pop()
    body = [
        [
            *(row.set, row.method, str(row.mixtures)),
            "" if row.failures is None else str(row.failures),
            *(decibels(row.si_sdr), decibels(row.sdr), percent(row.wer)),
        ][: len(head)]
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    rule = "  ".join("-" * width for width in widths)
    lines = [_aligned(head, widths)]
    for index, (row, cells) in enumerate(zip(rows, body, strict=True)):
        if index == 0 or row.set != rows[index - 1].set:
            lines.append(rule)
        lines.append(_aligned(cells, widths))
    return "\n".join(lines) + "\n"


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Names to the left, numbers to the right."""
    parts = [
        cell.ljust(width) if i < 2 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(parts).rstrip()


def markdown(rows: Sequence[Row]) -> str:
    """A GitHub table per metric: methods down, sets across, the best method of each set in bold."""
    parts = [
        _pivot("SI-SDR in dB", rows, lambda row: row.si_sdr, decibels, choose=max),
        _pivot("SDR in dB", rows, lambda row: row.sdr, decibels, choose=max),
    ]
    if any(row.wer for row in rows):
        parts.append(_pivot("WER in %", rows, lambda row: row.wer, percent, choose=min))
    failed = sum(row.failures or 0 for row in rows)
    parts.append(
        f"Mean and 95 % interval (bootstrap over mixtures). Failed separations: {failed}.\n"
    )
    return "\n".join(parts)


def best(
    rows: Sequence[Row], value: Callable[[Row], Interval | None], choose: Callable[..., float]
) -> dict[str, float]:
    """The best mean of each set among the methods; mixture and reference do not compete."""
    found: dict[str, list[float]] = {}
    for row in rows:
        interval = value(row) if row.model else None
        if interval and math.isfinite(interval.mean):
            found.setdefault(row.set, []).append(interval.mean)
    return {set: choose(means) for set, means in found.items()}


def _pivot(
    title: str,
    rows: Sequence[Row],
    value: Callable[[Row], Interval | None],
    form: Callable[[Interval | None], str],
    choose: Callable[..., float],
) -> str:
    sets = list(dict.fromkeys(row.set for row in rows))
    found = {(row.method, row.set): row for row in rows if value(row)}
    methods = [
        m for m in dict.fromkeys(row.method for row in rows) if any(m == k[0] for k in found)
    ]
    top = best(rows, value, choose)
    speakers = {row.set: row.speakers for row in rows}
    lines = [
        "| " + " | ".join([title, *(f"{set} ({speakers[set]} speakers)" for set in sets)]) + " |",
        "|---|" + "---:|" * len(sets),
    ]
    for method in methods:
        cells = [method]
        for set in sets:
            row = found.get((method, set))
            interval = value(row) if row else None
            text = form(interval)
            bold = row and row.model and interval and interval.mean == top.get(set)
            cells.append(f"**{text}**" if bold else text)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
