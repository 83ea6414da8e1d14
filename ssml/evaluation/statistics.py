"""Percentile bootstrap over mixtures: the sources of one mixture are not independent of each other.

Every function draws from the generator it is given, so the same generator gives the same interval.
Fewer than two mixtures tell nothing about spread: their bounds are nan, hence never conclusive.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Values = Mapping[str, float]  # a mixture's id -> its mean over the sources
Counts = Mapping[str, tuple[int, int]]  # a mixture's id -> (word errors, words)


class Interval(NamedTuple):
    """A statistic, the bounds of its interval, and the number of mixtures behind it."""

    mean: float
    low: float
    high: float
    n: int

    def scaled(self, factor: float) -> "Interval":
        """The same in another unit."""
        return Interval(factor * self.mean, factor * self.low, factor * self.high, self.n)


class Band(NamedTuple):
    """As `Interval`, elementwise over arrays (...,)."""

    mean: Array
    low: Array
    high: Array
    n: NDArray[np.int64]


def draws(n: int, resamples: int, rng: np.random.Generator) -> Array:
    """How often each of `n` mixtures occurs in each resample, (resamples, n)."""
    if resamples < 1:
        raise ValueError(f"resamples: {resamples}, at least 1 is needed")
    if n == 0:
        return np.zeros((resamples, 0))
    chosen = rng.integers(n, size=(resamples, n)) + n * np.arange(resamples)[:, None]
    counts = np.bincount(chosen.ravel(), minlength=resamples * n)
    return counts.reshape(resamples, n).astype(float)


def mean_band(
    values: ArrayLike, resamples: int, rng: np.random.Generator, level: float = 0.95
) -> Band:
    """Interval of the mean over the first axis of `values` (mixtures, ...), nan entries left out.

    All elements share their resamples, so the columns stay comparable with each other.
    """
    values = np.asarray(values, dtype=float)
    flat = values.reshape(len(values), math.prod(values.shape[1:]))
    valid = np.isfinite(flat)
    filled, count = np.where(valid, flat, 0.0), valid.sum(axis=0)
    weights = draws(len(flat), resamples, rng)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = filled.sum(axis=0) / count
        # sums are taken about the mean, so that constant data give an interval of zero width
        centred = np.where(valid, flat - mean, 0.0)
        samples = mean + (weights @ centred) / (weights @ valid)
    low, high = _bounds(samples, level, count)
    shape = values.shape[1:]
    return Band(mean.reshape(shape), low.reshape(shape), high.reshape(shape), count.reshape(shape))


def mean_interval(
    values: ArrayLike, resamples: int, rng: np.random.Generator, level: float = 0.95
) -> Interval:
    """Interval of the mean of `values` (mixtures,), each the mean over a mixture's sources."""
    band = mean_band(np.asarray(values, dtype=float).reshape(-1, 1), resamples, rng, level)
    mean, low, high = (float(part[0]) for part in band[:3])
    return Interval(mean, low, high, int(band.n[0]))


def paired_interval(
    a: Values, b: Values, resamples: int, rng: np.random.Generator, level: float = 0.95
) -> Interval:
    """Interval of the mean difference `a - b` over the mixtures with a finite value in both."""
    ids = sorted(a.keys() & b.keys())
    return mean_interval([a[id] - b[id] for id in ids], resamples, rng, level)


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


def ratio_interval(
    counts: Counts, resamples: int, rng: np.random.Generator, level: float = 0.95
) -> Interval:
    """Interval of the pooled word error rate: all errors over all words."""
    ids = sorted(counts)
    weights = draws(len(ids), resamples, rng)
    whole, samples = (_rate(counts, ids, w) for w in (np.ones((1, len(ids))), weights))
    return _interval(whole, samples, level, len(ids))


def reduction_interval(
    a: Counts, b: Counts, resamples: int, rng: np.random.Generator, level: float = 0.95
) -> Interval:
    """Interval of the relative reduction `1 - WER(a) / WER(b)`, pooled over common mixtures."""
    ids = sorted(a.keys() & b.keys())
    weights = draws(len(ids), resamples, rng)
    with np.errstate(invalid="ignore", divide="ignore"):
        whole, samples = (
            1 - _rate(a, ids, w) / _rate(b, ids, w) for w in (np.ones((1, len(ids))), weights)
        )
    return _interval(whole, samples, level, len(ids))


def _rate(counts: Counts, ids: list[str], weights: Array) -> Array:
    """Pooled errors over pooled words of each resample, (resamples,)."""
    table = np.array([counts[id] for id in ids], dtype=float).reshape(-1, 2)
    errors, words = (weights @ table).T
    with np.errstate(invalid="ignore", divide="ignore"):
        return errors / words


def _interval(whole: Array, samples: Array, level: float, n: int) -> Interval:
    low, high = _bounds(samples[:, None], level, np.array([n]))
    return Interval(float(whole[0]), float(low[0]), float(high[0]), n)


def _bounds(samples: Array, level: float, count: NDArray[np.int64]) -> tuple[Array, Array]:
    """Percentiles of `samples` (resamples, columns); nan where `count` (columns,) is below 2."""
    if not 0 < level < 1:
        raise ValueError(f"level: {level}, must be between 0 and 1")
    low, high = np.full(samples.shape[1], np.nan), np.full(samples.shape[1], np.nan)
    tail = (1 - level) / 2
    for column in np.flatnonzero(count > 1):
        finite = samples[np.isfinite(samples[:, column]), column]
        if len(finite):  # a resample may hold none of the mixtures with a value
            low[column], high[column] = np.quantile(finite, [tail, 1 - tail])
    return low, high
