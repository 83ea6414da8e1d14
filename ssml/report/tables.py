"""The summary: one row per set and method, as CSV, for the terminal, as Markdown and LaTeX."""

import csv
import io
import math
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from ssml.config.layout import MIXTURE, REFERENCE
from ssml.config.names import BOUND_NAMES
from ssml.evaluation.asr.words import WordErrors
from ssml.evaluation.statistics import Interval

from . import compare
from .results import METRICS, Results
from .transcripts import RATES, RULE, Heard, in_words, total

ERRORS = WordErrors._fields[1:]  # kinds
# si_sdri: SI-SDR less the mixture's; si_sdr_early: against the early images
QUANTITIES = (
    *("si_sdr", "si_sdri", "si_sdr_early", "sdr", "sir", "sar", "stoi", "pesq"),
    *RATES,
)
COLUMNS = (
    *("set", "n_src", "method", "model", "rule", "iterations", "mixtures", "failures"),
    *(f"{name}{end}" for name in QUANTITIES for end in ("", "_low", "_high")),
    *ERRORS,
    *Heard._fields,
)


class Row(NamedTuple):
    """One method on one set; None where a quantity does not apply."""

    test_set: str
    speakers: int
    method: str
    model: str
    rule: str
    iterations: int | None
    mixtures: int | None
    failures: int | None
    si_sdr: Interval | None  # dB
    si_sdri: Interval | None  # dB, paired
    si_sdr_early: Interval | None  # dB
    sdr: Interval | None  # dB
    sir: Interval | None  # dB
    sar: Interval | None  # dB
    stoi: Interval | None  # up to 1
    pesq: Interval | None  # 1 to 4.6, where it was asked for
    wer_capped: Interval | None  # 0 to 1, as its errors are at most the words of each output
    wer: Interval | None  # 0 to 1 and beyond
    wer_without_insertions: Interval | None  # 0 to 1
    cpwer: Interval | None  # 0 to 1 and beyond
    errors: WordErrors | None  # by kind, of `wer`
    heard: Heard | None

    @property
    def is_bound(self) -> bool:
        """Whether its model is told the sources."""
        return self.model in BOUND_NAMES

    @property
    def competes(self) -> bool:
        """Whether it may be the best: a mixture, a reference and a bound may not."""
        return bool(self.model) and not self.is_bound

    def cells(self) -> dict[str, Any]:
        """The row of `summary.csv`."""
        row: dict[str, Any] = {"set": self.test_set, "n_src": self.speakers}
        row |= {name: getattr(self, name) for name in COLUMNS[2:8]}
        for name in QUANTITIES:
            interval = getattr(self, name) or (math.nan,) * 3
            for suffix, value in zip(("", "_low", "_high"), interval[:3], strict=True):
                row[name + suffix] = value if math.isfinite(value) else None
        for counts, kinds in ((self.errors, ERRORS), (self.heard, Heard._fields)):
            row |= {kind: getattr(counts, kind) if counts else None for kind in kinds}
        return {name: "" if value is None else value for name, value in row.items()}

    def metrics(self) -> dict[str, float]:
        """The means by name and unit, for tracking."""
        named = {
            "SI-SDR dB": self.si_sdr,
            "SI-SDR improvement dB": self.si_sdri,
            "SI-SDR early dB": self.si_sdr_early,
            "SDR dB": self.sdr,
            "SIR dB": self.sir,
            "SAR dB": self.sar,
            "STOI": self.stoi,
            "PESQ": self.pesq,
            "WER capped": self.wer_capped,
            "WER": self.wer,
            "WER without insertions": self.wer_without_insertions,
            "cpWER": self.cpwer,
        }
        values = {
            name: interval.mean
            for name, interval in named.items()
            if interval is not None and math.isfinite(interval.mean)
        }
        return values | {"failures": float(self.failures or 0)}


INTERVALS = "95 % t-intervals over mixtures, speakers and trainings"


def summarise(results: Results) -> list[Row]:
    """All rows, set by set: the mixture, the methods in their order, the reference."""
    return [
        _row(results, test_set, method)
        for test_set in results.sets
        for method in (MIXTURE, *results.methods, REFERENCE)
        if (method, test_set) in results.scores or (method, test_set) in results.transcripts
    ]


def _row(results: Results, test_set: str, method: str) -> Row:
    given = results.methods.get(method)
    scores = results.scores.get((method, test_set))
    texts = results.transcripts.get((method, test_set))
    trainings = results.trainings(method)
    heard = compare.transcripts(results, test_set, method)

    def mean(metric: str) -> Interval | None:
        return compare.mean(results, metric, test_set, method) if scores else None

    return Row(
        test_set=test_set,
        speakers=results.speakers(test_set),
        method=method,
        model=given.model if given else "",
        rule=given.rule if given else "",
        iterations=given.iterations if given else None,
        mixtures=len(scores.ids) if scores else len(texts.texts if texts else {}),
        failures=sum(results.scores[n, test_set].failures for n in trainings) if scores else None,
        si_sdri=compare.si_sdr(results, test_set, method, MIXTURE) if given else None,
        **{m: mean(m) if compare.has_metric(results, m) else None for m in METRICS},
        **{kind: compare.rate(results, test_set, method, kind) for kind in RATES},
        errors=_total([found.total for found in heard]),
        heard=total(found.heard for found in heard),
    )


def _total(errors: Sequence[WordErrors]) -> WordErrors | None:
    return WordErrors(*map(sum, zip(*errors, strict=True))) if errors else None


def as_csv(rows: Sequence[Row]) -> str:
    """The summary as CSV; floats keep their shortest exact form."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.cells() for row in rows)
    return text.getvalue()


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
    head = ["set", "method", "n", "failed"]
    head += [f"{name} [95 %]" for name in ("SI-SDR dB", "SDR dB", "capped WER %")]
    if not any(row.wer_capped for row in rows):
        head.pop()
    body = [
        [
            *(row.test_set, row.method, str(row.mixtures)),
            "" if row.failures is None else str(row.failures),
            *(decibels(row.si_sdr), decibels(row.sdr), percent(row.wer_capped)),
        ][: len(head)]
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    rule = "  ".join("-" * width for width in widths)
    lines = [_aligned(head, widths)]
    for index, (row, cells) in enumerate(zip(rows, body, strict=True)):
        if index == 0 or row.test_set != rows[index - 1].test_set:
            lines.append(rule)
        lines.append(_aligned(cells, widths))
    lines += filter(None, [in_words(row.heard for row in rows)])
    return "\n".join(lines) + "\n"


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Names to the left, numbers to the right."""
    parts = [
        cell.ljust(width) if i < 2 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(parts).rstrip()


class Pivot(NamedTuple):
    """One quantity: methods down, sets across; a cell is its text and whether it is the best."""

    title: str
    sets: list[tuple[str, int]]  # name, speakers
    rows: list[tuple[str, list[tuple[str, bool]]]]


def pivots(rows: Sequence[Row]) -> list[Pivot]:
    """SI-SDR, SDR and, where there is one, the capped WER; the WER where only that is known."""
    found = [
        _pivot("SI-SDR in dB", rows, lambda row: row.si_sdr, decibels, choose=max),
        _pivot("SDR in dB", rows, lambda row: row.sdr, decibels, choose=max),
    ]
    for name, title in (("wer_capped", "capped WER in %"), ("wer", "WER in %")):
        if any(getattr(row, name) for row in rows):
            return [*found, _pivot(title, rows, attrgetter(name), percent, choose=min)]
    return found


def markdown(rows: Sequence[Row]) -> str:
    """A GitHub table per quantity, the best method of each set in bold."""
    parts = []
    for pivot in pivots(rows):
        head = [pivot.title, *(f"{name} ({speakers} speakers)" for name, speakers in pivot.sets)]
        lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * len(pivot.sets)]
        for method, cells in pivot.rows:
            texts = [f"**{text}**" if bold else text for text, bold in cells]
            lines.append("| " + " | ".join([method, *texts]) + " |")
        parts.append("\n".join(lines) + "\n")
    failed = sum(row.failures or 0 for row in rows)
    parts.append(f"Means with {INTERVALS}. Failed separations: {failed}.\n")
    if heard := in_words(row.heard for row in rows):
        parts.append(f"{RULE} {heard}\n")
    return "\n".join(parts)


def best(
    rows: Sequence[Row], value: Callable[[Row], Interval | None], choose: Callable[..., float]
) -> dict[str, float]:
    """The best mean of each set among the methods that compete."""
    found: dict[str, list[float]] = {}
    for row in rows:
        interval = value(row) if row.competes else None
        if interval and math.isfinite(interval.mean):
            found.setdefault(row.test_set, []).append(interval.mean)
    return {test_set: choose(means) for test_set, means in found.items()}


def _pivot(
    title: str,
    rows: Sequence[Row],
    value: Callable[[Row], Interval | None],
    form: Callable[[Interval | None], str],
    choose: Callable[..., float],
) -> Pivot:
    top = best(rows, value, choose)
    speakers = {row.test_set: row.speakers for row in rows}
    found: dict[str, dict[str, tuple[str, bool]]] = {}
    for row in rows:
        interval = value(row)
        if interval:
            is_best = row.competes and interval.mean == top.get(row.test_set)
            found.setdefault(row.method, {})[row.test_set] = (form(interval), is_best)
    return Pivot(
        title,
        list(speakers.items()),
        [
            (method, [cells.get(test_set, ("", False)) for test_set in speakers])
            for method, cells in found.items()
        ],
    )
