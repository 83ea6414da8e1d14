"""How often a 95 % interval covers the truth where mixtures share speakers, in simulation.

    python -m benchmarks.coverage [--trials 1000] [--json]

The values of a mixture are the mean of its speakers' effects and one of its own (3 dB). Speakers,
their effects and the mixtures are drawn anew in each trial; the true mean is zero.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy import stats

from ssml.evaluation.statistics import mean_interval
from ssml.files.provenance import generator

from .measure import options, show

OWN = 3.0  # dB, standard deviation of a mixture
# test speakers, speakers in a mixture, mixtures, standard deviation of a speaker in dB
CASES = [
    *((6, 2, 60, spread) for spread in (0, 1, 2)),
    *((8, 2, 60, spread) for spread in (0, 1, 2)),
    *((6, K, 200, 1) for K in (2, 3, 4)),
    (8, 4, 60, 1),
]
Draw = tuple[np.ndarray, Sequence[tuple[str, ...]]]


def effects(values: np.ndarray, talkers: Sequence[tuple[str, ...]]) -> tuple[float, float]:
    by_id = {str(i): float(x) for i, x in enumerate(values)}
    return mean_interval([by_id], {str(i): names for i, names in enumerate(talkers)})[1:3]


def student(values: np.ndarray, _: Sequence[tuple[str, ...]]) -> tuple[float, float]:
    return stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))


def bca(values: np.ndarray, _: Sequence[tuple[str, ...]]) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    found = stats.bootstrap((values,), np.mean, n_resamples=999, vectorized=True, rng=rng)
    return found.confidence_interval


WAYS: Mapping[str, Callable[..., tuple[float, float]]] = {
    "ssml: mixtures and speakers": effects,
    "t, mixtures alone": student,
    "BCa bootstrap, mixtures alone": bca,
}


def draw(speakers: int, K: int, mixtures: int, spread: float, trial: int) -> Draw:
    rng = generator(trial, "coverage", speakers, K, mixtures)
    talkers = [rng.choice(speakers, K, replace=False) for _ in range(mixtures)]
    own = rng.normal(0, spread, speakers)
    values = np.array([own[names].mean() for names in talkers]) + rng.normal(0, OWN, mixtures)
    return values, [tuple(map(str, names)) for names in talkers]


def main() -> None:
    chosen = options(__doc__ or "", trials=1000)
    cases = {}
    for speakers, K, mixtures, spread in CASES:
        rows = {name: {"covered %": 0.0, "half width dB": 0.0} for name in WAYS}
        for trial in range(chosen.trials):
            values, talkers = draw(speakers, K, mixtures, spread, trial)
            for name, interval in WAYS.items():
                low, high = interval(values, talkers)
                rows[name]["covered %"] += 100 * (low <= 0 <= high) / chosen.trials
                rows[name]["half width dB"] += (high - low) / 2 / chosen.trials
        cases[f"{K} of {speakers} speakers ({spread} dB), {mixtures} mixtures"] = rows
    show("Intervals: how often they cover the truth", cases, chosen.json)


if __name__ == "__main__":
    main()
