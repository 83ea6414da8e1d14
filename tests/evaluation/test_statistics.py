"""Intervals against closed forms and against their own definition."""

import numpy as np
import pytest
from scipy import stats

from ssml.evaluation.statistics import (
    Interval,
    holm,
    mean_band,
    mean_interval,
    paired_interval,
    rate_interval,
    reduction_interval,
    statistic_interval,
    wilcoxon,
)
from ssml.files.provenance import generator


def rng(*key: int | str) -> np.random.Generator:
    return generator(7, "test_statistics", *key)


def by_id(values):
    return {f"{i:04d}": float(x) for i, x in enumerate(values)}


def test_constant_data_have_no_width():
    interval = mean_interval([by_id([0.1] * 9)])
    assert interval.mean == interval.low == interval.high == pytest.approx(0.1)
    assert interval.n == 9


def test_without_shared_speakers_it_is_students_interval():
    values = rng("t").normal(3, 2, size=20)
    interval = mean_interval([by_id(values)])
    expected = stats.t.interval(0.95, 19, values.mean(), stats.sem(values))
    assert interval == (pytest.approx(values.mean()), *map(pytest.approx, expected), 20)


def test_trainings_add_their_variance():
    """Three trainings that differ by a shift: its standard error alone, with two degrees."""
    flat = [by_id([shift] * 10) for shift in (1.0, 2.0, 3.0)]
    interval = mean_interval(flat)
    expected = stats.t.interval(0.95, 2, 2, stats.sem([1, 2, 3]))
    assert interval[1:3] == tuple(map(pytest.approx, expected))
    values = rng("trainings").normal(size=40)
    one = mean_interval([by_id(values)])
    three = mean_interval([by_id(values + shift) for shift in (-0.5, 0, 0.5)])
    assert three.high - three.low > 1.5 * (one.high - one.low)


def test_pairs_are_narrower_than_the_difference_of_two_means():
    easy = rng("mixtures").normal(0, 5, size=60)  # how hard a mixture is, the same for both
    gain = rng("gain").normal(2, 0.5, size=60)
    a, b = by_id(easy + gain), by_id(easy)
    paired = paired_interval([a], [b])
    apart = [mean_interval([x]) for x in (a, b)]
    assert paired.mean == pytest.approx(gain.mean())
    assert paired.high - paired.low < 0.2 * (apart[0].high - apart[1].low)
    assert paired.low > 0


def test_pairs_are_matched_by_id_and_finite_in_both():
    a = {"x": 3.0, "y": 5.0, "z": float("nan"), "only-a": 100.0}
    b = {"y": 4.0, "x": 1.0, "z": 0.0, "only-b": -100.0}
    interval = paired_interval([a], [b])
    assert interval.mean == pytest.approx((2 + 1) / 2)
    assert interval.n == 2


def test_one_training_is_compared_with_each():
    a, b = [by_id([1, 2, 3]), by_id([2, 3, 4])], [by_id([0, 0, 0])]
    assert paired_interval(a, b).mean == pytest.approx(2.5)
    with pytest.raises(ValueError, match="2 trainings"):
        paired_interval(a, [*a, *b])


def test_word_error_rate_is_pooled():
    counts = {"a": (1, 10), "b": (9, 12), "c": (0, 3)}
    interval = rate_interval([counts])
    assert interval.mean == pytest.approx(10 / 25)  # not the mean of the rates
    assert 0 <= interval.low < interval.mean < interval.high
    same = rate_interval([{str(i): (2, 8) for i in range(6)}])
    assert (same.low, same.high) == (0.25, 0.25)


def test_the_spread_of_a_rate_is_that_of_the_delta_method():
    errors, words = rng("rate").integers(0, 9, 50), rng("words").integers(9, 20, 50)
    counts = {str(i): (int(e), int(w)) for i, (e, w) in enumerate(zip(errors, words, strict=True))}
    rate = errors.sum() / words.sum()
    residual = (errors - rate * words) / words.mean()
    expected = stats.t.ppf(0.975, 49) * residual.std(ddof=1) / 50**0.5
    interval = rate_interval([counts])
    assert interval.high - interval.mean == pytest.approx(expected)


def test_reduction_is_relative_and_paired():
    b = {str(i): (errors, 20) for i, errors in enumerate([4, 8, 12, 16, 20])}
    a = {id: (errors // 2, words) for id, (errors, words) in b.items()}
    interval = reduction_interval([a], [b])
    assert interval == Interval(0.5, 0.5, 0.5, 5)  # half of each: nothing varies


@pytest.mark.parametrize("values", [[], [4.0], [4.0, float("nan")], [float("inf")]])
def test_fewer_than_two_values_have_no_bounds(values):
    interval = mean_interval([by_id(values)])
    assert np.isnan(interval.low) and np.isnan(interval.high)
    assert interval.n == np.isfinite(values).sum()


def test_no_words_and_no_errors():
    assert np.isnan(rate_interval([{"a": (0, 0), "b": (0, 0)}]).mean)
    nothing = {"a": (0, 5), "b": (0, 5)}
    assert np.isnan(reduction_interval([nothing], [nothing]).mean)


def test_a_mean_by_jackknife_is_the_mean():
    values = rng("jackknife").normal(size=25)
    ids = [*by_id(values)]
    found = statistic_interval([lambda w: float(w @ values / w.sum())], ids)
    assert found == tuple(map(pytest.approx, mean_interval([by_id(values)])))


def test_band_is_the_interval_of_each_column():
    values = rng("band").normal(size=(2, 25, 3))
    values[1, 4, 2] = np.nan
    band = mean_band(values)
    assert (band.n == 24).all()
    ids = [i for i in range(25) if i != 4]
    alone = mean_interval([by_id(values[r, ids, 1]) for r in range(2)])
    assert alone[:3] == pytest.approx([float(part[1]) for part in band[:3]])


@pytest.mark.parametrize("level", [0, 1, 1.5])
def test_level_is_a_probability(level):
    with pytest.raises(ValueError, match="level"):
        mean_interval([by_id([1.0, 2.0])], level=level)


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


def test_holm_corrects_for_the_number():
    """0.01, 0.02 and 0.04 of three: times 3, 2 and 1, and none below the one before."""
    found = holm({"b": 0.02, "a": 0.01, "c": 0.025, "n": float("nan")})
    assert (found["a"], found["b"], found["c"]) == pytest.approx((0.03, 0.04, 0.04))
    assert np.isnan(found["n"])
    assert holm({"x": 0.9, "y": 0.8}) == {"x": 1.0, "y": 1.0}
