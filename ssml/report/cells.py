"""Numbers as the report's tables show them: rounded, with bounds, and what they sort by."""

import math
from typing import NamedTuple

from ssml.evaluation.statistics import Interval

from .compare import Pair
from .templates import number


class Delta(NamedTuple):
    """A paired difference as shown; `side` is up (better), down, or same (inconclusive)."""

    text: str
    bounds: str
    key: float | str
    side: str


class Cell(NamedTuple):
    """A number as shown, its interval in words, and what the table sorts by ('' sorts last)."""

    text: str
    bounds: str
    key: float | str
    best: bool = False


def cell(interval: Interval | None, scale: float, digits: int, top: float | None) -> Cell:
    if interval is None:
        return Cell("", "", "")
    if not math.isfinite(interval.mean):
        return Cell("n/a", "", "")
    mean, low, high = (number(scale * x, digits) for x in interval[:3])
    bounds = f"{low} to {high}" if math.isfinite(interval.low) else ""
    return Cell(mean, bounds, scale * interval.mean, interval.mean == top)


def delta(triple: Pair | None, digits: int) -> Delta:
    """`page.js` does the same when another baseline is chosen."""
    if triple is None:
        return Delta("", "", "", "same")
    mean, low, high, _ = triple
    if low is None or high is None:
        return Delta(number(mean, digits, "+"), "", mean, "same")
    side = "up" if low > 0 else "down" if high < 0 else "same"
    bounds = f"{bound(low, digits)} to {bound(high, digits)}"
    return Delta(number(mean, digits, "+"), bounds, mean, side)


def bound(value: float, digits: int) -> str:
    """`value` with `digits`, or as many more as tell on which side of zero it is."""
    needed = digits
    while value and needed < digits + 3 and round(value, needed) == 0:
        needed += 1
    return number(value, needed)
