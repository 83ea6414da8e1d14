"""The variance of a mean over mixtures that share speakers, and over repeated trainings.

A mixture's value is `mu + mean of its speakers' effects + its own`, a training adds an effect to
all mixtures. Effects are random and independent. Their variances are averages over the restricted
likelihood (Patterson & Thompson 1971) of the ratio between the speakers' and the mixtures': its
maximum is often at zero, where few speakers hide their effect. The bounds are those of Student's t
with the degrees of freedom of Satterthwaite (1946).
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Speakers = tuple[tuple[str, ...], ...]  # of each mixture

# values of the speakers' variance over the mixtures'
RATIOS = np.concatenate([[0.0], np.geomspace(1e-3, 30, 90)])


class _Design(NamedTuple):
    """How mixtures share speakers."""

    axes: Array  # (N, r) orthonormal: what differences between speakers can explain
    gains: Array  # (r,) variance along each axis of speakers with unit variance
    share: float  # variance of the mean of the mixtures of speakers with unit variance


def half_width(values: Array, speakers: Sequence[Sequence[str]] | None, level: float) -> float:
    """Half of the interval of the mean of `values` (R, N): R trainings on the same N mixtures.

    speakers: the names in each mixture. None: no two mixtures share one. nan for fewer than two
    mixtures.
    """
    from scipy import special  # takes a quarter of a second to import

    R, N = values.shape
    if N < 2:
        return np.nan
    parts = mixture_variance(values.mean(0), speakers)
    if R > 1:
        parts.append((float(values.mean(1).var(ddof=1)) / R, R - 1))
    variance = sum(part for part, _ in parts)
    if variance <= 0:
        return 0.0
    freedom = variance**2 / sum(part**2 / max(n, 1) for part, n in parts)
    return float(special.stdtrit(freedom, (1 + level) / 2) * variance**0.5)


def mixture_variance(
    values: Array, speakers: Sequence[Sequence[str]] | None
) -> list[tuple[float, int]]:
    """The parts of the variance of the mean of `values` (N,), each with its degrees of freedom.

    The first is that of the mixtures, the second, if there is one, that of the speakers.
    """
    N = len(values)
    centred = values - values.mean()
    total = float(centred @ centred)
    design = _design(tuple(map(tuple, speakers))) if speakers is not None else None
    if design is None or total == 0:
        return [(total / (N - 1) / N, N - 1)]
    along = (design.axes.T @ centred) ** 2
    rest = max(total - float(along.sum()), 0.0)
    spread = 1 + RATIOS[:, None] * design.gains
    variances = (rest + (along / spread).sum(-1)) / (N - 1)
    cost = np.log(spread).sum(-1) + (N - 1) * np.log(np.maximum(variances, 1e-300))
    likelihood = np.exp(-(cost - cost.min()) / 2)
    likelihood /= likelihood.sum()
    own, shared = likelihood @ variances, likelihood @ (variances * RATIOS)
    rank = len(design.gains)
    return [(float(own) / N, max(N - 1 - rank, 1)), (float(shared) * design.share, rank)]


@lru_cache(maxsize=64)
def _design(speakers: Speakers) -> _Design | None:
    """None where speakers cannot be told from mixtures: all differ, or all are in each."""
    names = sorted({name for mixture in speakers for name in mixture})
    Z = np.array([[mixture.count(name) / len(mixture) for name in names] for mixture in speakers])
    axes, gains, _ = np.linalg.svd(Z - Z.mean(0), full_matrices=False)
    kept = gains > 1e-9
    if not kept.any() or kept.sum() >= len(speakers) - 1:
        return None
    return _Design(axes[:, kept], gains[kept] ** 2, float((Z.mean(0) ** 2).sum()))
