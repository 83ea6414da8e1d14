"""Bootstrap intervals (BCa) over mixtures: the sources of one mixture are not independent.

Mixtures are drawn with replacement. Every function draws from the generator that it is given: the
same generator gives the same draw for the same number of mixtures, hence paired comparisons.
Fewer than two mixtures say nothing about spread: their bounds are nan, hence never conclusive.
"""

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Values = Mapping[str, float]  # a mixture's id -> its mean over the sources
Counts = Mapping[str, tuple[int, int]]  # a mixture's id -> (word errors, words)


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


def bootstrap(
    statistic: Callable[[Array], Array],
    n: int,
    resamples: int,
    rng: np.random.Generator,
    level: float = 0.95,
) -> tuple[Array, Array]:
    """Bounds (...,) of the bias-corrected and accelerated interval of a statistic of `n` mixtures.

    `statistic` maps weights (R, n), how often each mixture occurs in each of R resamples, to values
    (..., R). By `scipy.stats.bootstrap` (Efron 1987). Its corrections are undefined for data
    without spread, and where some resamples have no value. There the bounds are percentiles of the
    resamples that have one, so that the interval of equal data is a point.
    """
    from scipy import stats  # takes half a second to import

    if not 0 < level < 1:
        raise ValueError(f"level: {level}, must be between 0 and 1")
    shape = np.shape(statistic(np.ones((1, n))))[:-1]
    if n < 2:
        return np.full(shape, np.nan), np.full(shape, np.nan)

    def of_indices(chosen: NDArray[np.int64], axis: int) -> Array:
        values = statistic(occurrences(np.atleast_2d(chosen), n))
        return values[..., 0] if chosen.ndim == 1 else values

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # scipy warns of data without spread
        found: Any = stats.bootstrap(
            (np.arange(n),),
            of_indices,
            n_resamples=resamples,
            confidence_level=level,
            method="BCa",
            vectorized=True,
            rng=rng,
        )
    low, high = found.confidence_interval
    if np.isfinite(low).all() and np.isfinite(high).all():
        return low, high
    values = found.bootstrap_distribution
    values = np.where(np.isfinite(values), values, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy warns where no resample has a value
        plain = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2], axis=-1)
    corrected = np.isfinite(low) & np.isfinite(high)
    return np.where(corrected, low, plain[0]), np.where(corrected, high, plain[1])


def occurrences(chosen: NDArray[np.int64], n: int) -> Array:
    """How often each of `n` mixtures occurs in each row of indices (R, ...), (R, n)."""
    places = chosen + n * np.arange(len(chosen))[:, None]
    return np.bincount(places.ravel(), minlength=n * len(chosen)).reshape(-1, n).astype(float)


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
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = filled.sum(axis=0) / count
    # sums are taken about the mean, so that constant data give an interval of zero width
    centred = np.where(valid, flat - mean, 0.0)

    def means(weights: Array) -> Array:
        with np.errstate(invalid="ignore", divide="ignore"):
            return (mean + (weights @ centred) / (weights @ valid)).T

    bounds = bootstrap(means, len(flat), resamples, rng, level)
    low, high = (np.where(count > 1, bound, np.nan) for bound in bounds)
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
    rate = _pooled_rate(counts, sorted(counts))
    return _interval(rate, len(counts), resamples, rng, level)


def reduction_interval(
    a: Counts, b: Counts, resamples: int, rng: np.random.Generator, level: float = 0.95
) -> Interval:
    """Interval of the relative reduction `1 - WER(a) / WER(b)`, pooled over common mixtures."""
    ids = sorted(a.keys() & b.keys())
    rate_a, rate_b = _pooled_rate(a, ids), _pooled_rate(b, ids)

    def reduction(weights: Array) -> Array:
        with np.errstate(invalid="ignore", divide="ignore"):
            return 1 - rate_a(weights) / rate_b(weights)

    return _interval(reduction, len(ids), resamples, rng, level)


def _pooled_rate(counts: Counts, ids: list[str]) -> Callable[[Array], Array]:
    """Weights (R, mixtures) -> errors over words, pooled over each resample, (R,)."""
    table = np.array([counts[id] for id in ids], dtype=float).reshape(-1, 2)

    def rate(weights: Array) -> Array:
        errors, words = (weights @ table).T
        with np.errstate(invalid="ignore", divide="ignore"):
            return errors / words

    return rate


def _interval(
    statistic: Callable[[Array], Array],
    n: int,
    resamples: int,
    rng: np.random.Generator,
    level: float,
) -> Interval:
    low, high = bootstrap(statistic, n, resamples, rng, level)
    whole = statistic(np.ones((1, n)))
    return Interval(float(whole[0]), float(low), float(high), n)
