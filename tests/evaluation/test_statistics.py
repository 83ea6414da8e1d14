"""Intervals against closed forms and against their own definition."""

import numpy as np
import pytest

from ssml.evaluation.statistics import (
    Interval,
    bootstrap,
    mean_band,
    mean_interval,
    paired_interval,
    ratio_interval,
    reduction_interval,
    wilcoxon,
)
from ssml.files.provenance import generator


def rng(*key: int | str) -> np.random.Generator:
    return generator(7, "test_statistics", *key)


def test_constant_data_have_no_width():
    assert mean_interval([0.1] * 9, 200, rng()) == Interval(
        pytest.approx(0.1), pytest.approx(0.1), pytest.approx(0.1), 9
    )
    interval = mean_interval([0.1] * 9, 200, rng())
    assert interval.low == interval.high


def test_the_same_generator_gives_the_same_interval():
    values = rng("values").normal(size=30)
    assert mean_interval(values, 500, rng()) == mean_interval(values, 500, rng())


def test_draws_are_resamples_with_replacement():
    drawn = []

    def statistic(weights):
        drawn.append(weights)
        return weights[:, 0]

    bootstrap(statistic, 12, 50, rng())
    (counts,) = (weights for weights in drawn if weights.shape == (50, 12))
    assert (counts.sum(axis=1) == 12).all() and counts.max() > 1


def test_width_is_that_of_the_standard_error():
    values = rng("width").normal(3, 2, size=400)
    interval = mean_interval(values, 4000, rng())
    half = (interval.high - interval.low) / 2
    assert half == pytest.approx(1.96 * values.std() / np.sqrt(400), rel=0.06)
    assert interval.mean == pytest.approx(values.mean())


def test_coverage_is_near_the_level():
    source = rng("coverage")
    covered = 0
    for trial in range(200):
        interval = mean_interval(source.normal(1, 3, size=40), 300, rng(trial), level=0.9)
        covered += interval.low <= 1 <= interval.high
    assert 0.82 <= covered / 200 <= 0.96


def test_pairs_are_narrower_than_the_difference_of_two_means():
    easy = rng("mixtures").normal(0, 5, size=60)  # how hard a mixture is, the same for both
    gain = rng("gain").normal(2, 0.5, size=60)
    a = {str(i): x + g for i, (x, g) in enumerate(zip(easy, gain, strict=True))}
    b = {str(i): x for i, x in enumerate(easy)}
    paired = paired_interval(a, b, 2000, rng())
    apart = [mean_interval(list(x.values()), 2000, rng(i)) for i, x in enumerate((a, b))]
    assert paired.mean == pytest.approx(gain.mean())
    assert paired.high - paired.low < 0.2 * (apart[0].high - apart[1].low)
    assert paired.low > 0


def test_pairs_are_matched_by_id_and_finite_in_both():
    a = {"x": 3.0, "y": 5.0, "z": float("nan"), "only-a": 100.0}
    b = {"y": 4.0, "x": 1.0, "z": 0.0, "only-b": -100.0}
    interval = paired_interval(a, b, 100, rng())
    assert interval.mean == pytest.approx((2 + 1) / 2)
    assert interval.n == 2


def test_word_error_rate_is_pooled():
    counts = {"a": (1, 10), "b": (9, 12), "c": (0, 3)}
    interval = ratio_interval(counts, 500, rng())
    assert interval.mean == pytest.approx(10 / 25)  # not the mean of the rates
    assert interval.low <= interval.mean <= interval.high
    same = ratio_interval({str(i): (2, 8) for i in range(6)}, 100, rng())
    assert (same.low, same.high) == (0.25, 0.25)


def test_reduction_is_relative_and_paired():
    b = {str(i): (errors, 20) for i, errors in enumerate([4, 8, 12, 16, 20])}
    a = {id: (errors // 2, words) for id, (errors, words) in b.items()}
    interval = reduction_interval(a, b, 500, rng())
    assert interval == Interval(0.5, 0.5, 0.5, 5)  # half of each: nothing varies


@pytest.mark.parametrize("values", [[], [4.0], [4.0, float("nan")], [float("inf")]])
def test_fewer_than_two_values_have_no_bounds(values):
    interval = mean_interval(values, 50, rng())
    assert np.isnan(interval.low) and np.isnan(interval.high)
    assert interval.n == np.isfinite(values).sum()


def test_no_words_and_no_errors():
    assert np.isnan(ratio_interval({"a": (0, 0), "b": (0, 0)}, 50, rng()).mean)
    nothing = {"a": (0, 5), "b": (0, 5)}
    assert np.isnan(reduction_interval(nothing, nothing, 50, rng()).mean)


def test_band_is_the_interval_of_each_column():
    values = rng("band").normal(size=(25, 2, 3))
    values[4, 1, 2] = np.nan
    band = mean_band(values, 300, rng())
    assert band.mean.shape == (2, 3)
    assert band.n[1, 2] == 24 and band.n[0, 0] == 25
    alone = mean_interval(values[:, 1, 2], 300, rng())
    assert alone.n == 24
    assert alone[:3] == pytest.approx([float(part[1, 2]) for part in band[:3]])


@pytest.mark.parametrize("level", [0, 1, 1.5])
def test_level_is_a_probability(level):
    with pytest.raises(ValueError, match="level"):
        mean_interval([1.0, 2.0], 10, rng(), level=level)


def test_wilcoxon_of_five_gains_is_one_in_sixteen():
    """All of n differences of one sign: p = 2 / 2^n."""
    a = {str(i): float(i + 1) for i in range(5)}
    assert wilcoxon(a, dict.fromkeys(a, 0.0)) == pytest.approx(2 / 2**5)
    assert wilcoxon(dict.fromkeys(a, 0.0), a) == pytest.approx(2 / 2**5)
    assert wilcoxon(a, a) == 1
    assert np.isnan(wilcoxon({"0": 1.0}, a)) and np.isnan(wilcoxon({}, {}))
    assert wilcoxon(a | {"x": float("nan"), "only": 9.0}, dict.fromkeys([*a, "x"], 0.0)) == 1 / 16


def test_wilcoxon_is_uniform_without_a_difference():
    source = rng("wilcoxon")
    found = []
    for _ in range(300):
        a, b = (dict(enumerate(source.normal(size=20))) for _ in range(2))
        found.append(wilcoxon(a, b))
    assert 0.02 < np.mean(np.array(found) < 0.05) < 0.09
