"""The variance that speakers and trainings add, against closed forms and by simulation."""

import numpy as np
import pytest

from ssml.evaluation.effects import half_width, mixture_variance
from ssml.files.provenance import generator


def drawn(rng, speakers, K, N):
    return [tuple(map(str, rng.choice(speakers, K, replace=False))) for _ in range(N)]


def of_speakers(mixtures, effects):
    return np.array([np.mean([effects[int(name)] for name in mixture]) for mixture in mixtures])


def test_speakers_differ_more_than_their_mixtures():
    """One talker each: about as many independent values as there are speakers."""
    effects = generator(1, "effects").normal(size=8)
    mixtures = [(str(i % 8),) for i in range(80)]
    values = of_speakers(mixtures, effects) + generator(1, "rest").normal(0, 0.3, 80)
    parts = mixture_variance(values, mixtures)
    means = values.reshape(10, 8).mean(0)
    assert sum(part for part, _ in parts) == pytest.approx(means.var(ddof=1) / 8, rel=0.2)
    assert [n for _, n in parts] == [72, 7]


def test_a_speaker_of_its_own_in_each_mixture_is_the_mixture():
    values = generator(1, "own").normal(size=12)
    own = [(str(i), f"also {i}") for i in range(12)]
    assert half_width(values[None], own, 0.95) == half_width(values[None], None, 0.95)
    every = [("a", "b")] * 12
    assert half_width(values[None], every, 0.95) == half_width(values[None], None, 0.95)


def test_the_order_and_the_names_of_speakers_do_not_matter():
    rng = generator(1, "names")
    mixtures = drawn(rng, 6, 3, 30)
    values = of_speakers(mixtures, rng.normal(size=6)) + rng.normal(size=30)
    other = [tuple(f"speaker {name}" for name in reversed(mixture)) for mixture in mixtures]
    found = [half_width(values[None], names, 0.95) for names in (mixtures, other)]
    assert found[0] == pytest.approx(found[1])


@pytest.mark.parametrize("speakers, K, N, spread", [(6, 2, 60, 1.5), (8, 3, 60, 2), (8, 2, 20, 0)])
def test_the_interval_covers_the_truth_and_one_over_mixtures_alone_does_not(speakers, K, N, spread):
    rng = generator(1, "coverage", speakers, K, N)
    hits = np.zeros(2)
    trials = 250
    for _ in range(trials):
        mixtures = drawn(rng, speakers, K, N)
        values = of_speakers(mixtures, rng.normal(0, spread, speakers)) + rng.normal(0, 3, N)
        for i, names in enumerate((mixtures, None)):
            hits[i] += abs(values.mean()) <= half_width(values[None], names, 0.95)
    covered = hits / trials
    assert covered[0] > 0.88
    if spread:
        assert covered[1] < 0.87 < covered[0]
