"""Intervals of means and ratios over mixtures, their speakers, and repeated trainings.

Methods are given as a list: the values of each training, one for a method that is not trained.
Every interval is a t-interval of `effects`. Fewer than two mixtures say nothing about spread: their
bounds are nan, hence never conclusive.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .effects import half_width

Array = NDArray[np.float64]
Values = Mapping[str, float]  # a mixture's id -> its mean over the sources
Counts = Mapping[str, tuple[int, int]]  # a mixture's id -> (word errors, words)
Speakers = Mapping[str, Sequence[str]]  # a mixture's id -> who talks in it


class Interval(NamedTuple):
    """A statistic, the bounds of its interval, and the number of mixtures it is computed from."""

    mean: float
    low: float
    high: float
    n: int

    def scaled(self, factor: float) -> "Interval":
        """The interval in another unit, or of the opposite difference (`factor` -1)."""
        low, high = sorted((factor * self.low, factor * self.high))
        return Interval(factor * self.mean, low, high, self.n)


class Band(NamedTuple):
    """As `Interval`, elementwise over arrays (...,)."""

    mean: Array
    low: Array
    high: Array
    n: NDArray[np.int64]


def mean_interval(
    values: Sequence[Values], speakers: Speakers | None = None, level: float = 0.95
) -> Interval:
    """Interval of the mean over the mixtures with a finite value in every training."""
    ids = _common(values)
    return _interval(np.array([[v[id] for id in ids] for v in values], float), ids, speakers, level)


def paired_interval(
    a: Sequence[Values],
    b: Sequence[Values],
    speakers: Speakers | None = None,
    level: float = 0.95,
) -> Interval:
    """Interval of the mean difference `a - b` over the mixtures with finite values in both.

    The trainings of a and b are paired in their order. A single one is compared with all.
    """
    ids = _common([*a, *b])
    gaps = [[x[id] - y[id] for id in ids] for x, y in _pairs(a, b)]
    return _interval(np.array(gaps, float), ids, speakers, level)


def rate_interval(
    counts: Sequence[Counts], speakers: Speakers | None = None, level: float = 0.95
) -> Interval:
    """Interval of the pooled word error rate: all errors over all words. Its bounds are not < 0."""
    ids = sorted(set.intersection(*(set(c) for c in counts)))
    tables = [np.array([c[id] for id in ids], float).reshape(-1, 2).T for c in counts]
    rows = [_linearised(errors, words) for errors, words in tables]
    found = _interval(np.array(rows), ids, speakers, level)
    return found._replace(low=max(found.low, 0.0) if math.isfinite(found.low) else found.low)


def reduction_interval(
    a: Sequence[Counts],
    b: Sequence[Counts],
    speakers: Speakers | None = None,
    level: float = 0.95,
) -> Interval:
    """Interval of the relative reduction `1 - WER(a) / WER(b)`, pooled over common mixtures."""
    ids = sorted(set.intersection(*(set(c) for c in (*a, *b))))
    rows = [
        1 - _linearised(*(np.array([c[id][0] for id in ids], float) for c in pair))
        for pair in _pairs(a, b)
    ]
    return _interval(np.array(rows), ids, speakers, level)


def statistic_interval(
    statistics: Sequence[Callable[[Array], float]],
    ids: Sequence[str],
    speakers: Speakers | None = None,
    level: float = 0.95,
) -> Interval:
    """Interval of a statistic that is no mean, from its jackknife pseudo-values (Tukey 1958).

    statistics: one for each training, from weights (N,) of the mixtures `ids` to a number.
    """
    n = len(ids)
    if n < 2:
        return _interval(np.array([[f(np.ones(n)) for _ in ids] for f in statistics]), ids)
    rows, means = [], []
    for statistic in statistics:
        whole = statistic(np.ones(n))
        without = np.array([statistic(weights) for weights in 1 - np.eye(n)])
        rows.append(n * whole - (n - 1) * without)
        means.append(whole)
    found = _interval(np.array(rows), ids, speakers, level)
    shift = float(np.mean(means)) - found.mean  # about the statistic, not its jackknife estimate
    return Interval(found.mean + shift, found.low + shift, found.high + shift, n)


def mean_band(values: Array, speakers: Sequence[Sequence[str]] | None = None) -> Band:
    """95 % interval of the mean of each column of `values` (R, N, I), over R trainings of N
    mixtures; a mixture with a nan is left out.
    """
    kept = np.atleast_1d(np.isfinite(values).all(axis=(0, 2)))
    values, count = values[:, kept], int(kept.sum())
    names = [s for s, k in zip(speakers, kept, strict=True) if k] if speakers else None
    columns = [values[..., i] for i in range(values.shape[-1])]
    mean = np.array([c.mean() if count else math.nan for c in columns])
    half = np.array([half_width(c, names, 0.95) for c in columns])
    return Band(mean, mean - half, mean + half, np.full(len(columns), count))


def wilcoxon(a: Values, b: Values) -> float:
    """Two-sided p of Wilcoxon's signed-rank test over the mixtures with a finite value in both.

    Exact up to 50 mixtures of different gaps, else by the normal approximation. 1 where all are
    equal; nan where there are fewer than two mixtures.
    """
    from scipy import stats  # takes half a second

    ids = sorted(a.keys() & b.keys())
    gaps = np.array([a[id] - b[id] for id in ids], dtype=float)
    gaps = gaps[np.isfinite(gaps)]
    if len(gaps) < 2:
        return math.nan
    if not gaps.any():
        return 1.0
    sizes = np.unique(np.abs(gaps))
    distinct = len(sizes) == len(gaps) <= 50 and sizes[0] > 0
    # "auto" permutes where there are ties: half a second a pair
    found: Any = stats.wilcoxon(gaps, method="exact" if distinct else "asymptotic")
    return float(found.pvalue)


def holm(p: Mapping[Any, float]) -> dict[Any, float]:
    """p-values corrected for their number (Holm 1979); nan stays nan."""
    known = sorted((key for key in p if math.isfinite(p[key])), key=p.__getitem__)
    found, largest = dict(p), 0.0
    for i, key in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - i) * p[key]))
        found[key] = largest
    return found


def _pairs(a: Sequence[Any], b: Sequence[Any]) -> list[tuple[Any, Any]]:
    """The trainings of a with those of b, in order; raises `ValueError` for 2 and 3."""
    if 1 not in (len(a), len(b)) and len(a) != len(b):
        raise ValueError(f"{len(a)} trainings cannot be paired with {len(b)}")
    R = max(len(a), len(b))
    return [(a[min(r, len(a) - 1)], b[min(r, len(b) - 1)]) for r in range(R)]


def _common(values: Sequence[Values]) -> list[str]:
    """The mixtures with a finite value in all, sorted."""
    ids = sorted(set.intersection(*(set(v) for v in values)))
    return [id for id in ids if all(math.isfinite(v[id]) for v in values)]


def _linearised(above: Array, below: Array) -> Array:
    """Values (N,) whose mean is `sum above / sum below`, and whose spread is the ratio's."""
    if not below.sum() > 0:
        return np.full(len(below), math.nan)
    ratio = above.sum() / below.sum()
    return ratio + (above - ratio * below) / below.mean()


def _interval(
    values: Array, ids: Sequence[str], speakers: Speakers | None = None, level: float = 0.95
) -> Interval:
    """Interval of the mean of `values` (R, N)."""
    if not 0 < level < 1:
        raise ValueError(f"level: {level}, must be between 0 and 1")
    n = len(ids)
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    # sums are taken about the first, so that constant data give an interval of zero width
    centre = values.flat[0]
    mean = float(centre + (values - centre).mean())
    half = half_width(values - centre, [speakers[id] for id in ids] if speakers else None, level)
    return Interval(mean, mean - half, mean + half, n)
