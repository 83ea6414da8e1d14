"""Dot plots of all methods as a page's own elements: as wide as the page, with its letters."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ssml.config.layout import MIXTURE, REFERENCE
from ssml.evaluation.statistics import Interval

from . import styles
from .cells import cell
from .figures import limits
from .focus import baseline, learned, main_set
from .results import Results
from .styles import Style
from .tables import Row, best
from .templates import number

STEPS = (1, 2, 5, 10, 20, 25, 50, 100, 200)
MOST_TICKS = 5


class Dot(NamedTuple):
    """A method on a set: its number and interval as text, and their places in % of the axis."""

    text: str
    bounds: str
    place: float | None
    low: float | None
    high: float | None
    best: bool
    failed: str  # in words; '' where nothing failed


class Line(NamedTuple):
    """A method: a dot for each set, None where there is no number."""

    method: str
    style: Style
    kind: str  # main, pseudo, bound or other
    dots: list[Dot | None]


class Dots(NamedTuple):
    """A quantity of every method (down) on every set (across), best first on the main set."""

    name: str  # of the figures of the same in files: `NAME-SET`
    label: str
    sets: list[str]  # the main set first
    ticks: list[tuple[float, str]]
    lines: list[Line]

    @property
    def has_bounds(self) -> bool:
        """Whether some method is told the sources."""
        return any(line.kind == "bound" for line in self.lines)

    @property
    def failed(self) -> bool:
        """Whether some separation failed."""
        return any(dot and dot.failed for line in self.lines for dot in line.dots)


def dots(
    results: Results,
    rows: Sequence[Row],
    name: str,
    label: str,
    value: Callable[[Row], Interval | None],
    form: tuple[float, int],
    choose: Callable[..., float],
) -> Dots:
    """A dot plot. `form`: factor and digits of the numbers. `choose`: which is the best."""
    scale, digits = form
    found = {(row.method, row.test_set): row for row in rows if value(row)}
    scaled = {key: interval.scaled(scale) for key, row in found.items() if (interval := value(row))}
    edges = limits([x for interval in scaled.values() for x in interval[:3]], STEPS[0])
    top, look, main = best(rows, value, choose), styles.of(results), main_set(results)
    there = {test_set for _, test_set in found}
    sets = [name for name in dict.fromkeys((main, *results.sets)) if name in there]

    def place(x: float) -> float | None:
        return round(100 * (x - edges[0]) / (edges[1] - edges[0]), 2) if math.isfinite(x) else None

    def dot(method: str, test_set: str) -> Dot | None:
        row, interval = found.get((method, test_set)), scaled.get((method, test_set))
        if row is None or interval is None:
            return None
        is_best = row.competes and interval.mean == scale * top.get(test_set, math.nan)
        shown = cell(value(row), scale, digits, None)
        places = place(interval.mean), place(interval.low), place(interval.high)
        count = len(results.trainings(method)) * (row.mixtures or 0)
        failed = f"{row.failures} of {count} failed" if row.failures else ""
        return Dot(shown.text, shown.bounds, *places, is_best, failed)

    def rank(method: str) -> float:
        mean = scaled[method, main].mean if (method, main) in scaled else math.nan
        sign = -1 if choose is max else 1
        return sign * mean if math.isfinite(mean) else math.inf

    stand_out = {baseline(results), learned(results)}
    lines = [
        Line(
            method,
            look[method],
            _kind(results, method, stand_out),
            [dot(method, test_set) for test_set in sets],
        )
        for method in sorted(dict.fromkeys(method for method, _ in found), key=rank)
    ]
    ticks = [(place(x) or 0.0, number(x, 0)) for x in _ticks(*edges)]
    return Dots(name, label, sets, ticks, lines)


def _kind(results: Results, method: str, stand_out: set[str | None]) -> str:
    if method in (MIXTURE, REFERENCE):
        return "pseudo"
    if results.methods[method].is_bound:
        return "bound"
    return "main" if method in stand_out else "other"


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers within the limits, `MOST_TICKS` at most."""
    step = next((s for s in STEPS if (high - low) / s <= MOST_TICKS), STEPS[-1])
    first = math.ceil(low / step)
    return [float(step * k) for k in range(first, math.floor(high / step) + 1)]
