"""The report's first sentence says what came out, whatever it is."""

import math

import pytest

from ssml.config import params
from ssml.evaluation.statistics import Interval
from ssml.report import compare, headline, results
from ssml.report.rivals import best_classical
from tests.report import fake_tables as fake

MINUS = "\N{MINUS SIGN}"
CLASSICAL = dict.fromkeys(("laplace", "gauss", "nmf"))


def said(tmp_path, change=None, **si_sdr) -> headline.Headline:
    """The headline of made-up results with other means, of params that `change` altered."""
    values = fake.settings(mixtures=20).model_dump(mode="json")
    if change:
        change(values)
    chosen = params.parse(values)
    fake.write(tmp_path, chosen, si_sdr=fake.SI_SDR | si_sdr)
    return headline.headline(results.read(chosen, tmp_path))


def test_better_is_said_with_the_interval_of_the_claims(made):
    found = headline.headline(made[1])
    rival = best_classical(made[1], "test2") or ""
    interval = compare.counted_difference(made[1], "test2", "learned-sdr-iss", rival)
    assert str(found).startswith("On two talkers the learned model gains +")
    assert str(found).endswith("] over the best classical method.")
    assert found.figure == headline.difference(interval)
    notes = " ".join(found.notes)
    assert "learned-sdr-iss (20 iterations)" in notes and "30 mixtures, 8 speakers in all" in notes
    assert "on three talkers" in notes and "on four talkers" in notes


def test_worse_is_said(tmp_path):
    text = str(said(tmp_path, gauss=9.0))
    assert text.startswith("On two talkers the learned model is worse than the best classical")
    assert f": {MINUS}3." in text and text.count(MINUS) == 3  # the interval too


def test_an_interval_over_zero_is_no_gain(tmp_path):
    text = str(said(tmp_path, gauss=5.5))
    assert "does not tell the learned model from the best classical method" in text
    assert "gain" not in text and "worse" not in text
    assert f"[{MINUS}" in text


def test_the_rival_is_the_best_classical_method_not_the_one_of_the_params(tmp_path):
    found = said(tmp_path, nmf=4.0)
    assert "less that of nmf-iss" in " ".join(found.notes)


def test_a_run_without_a_learned_method_says_so(tmp_path):
    def change(values):
        values["report"] |= {"learned_sdr": "nmf-iss", "learned_coherence": "nmf-iss"}

    text = str(said(tmp_path, change))
    assert text.startswith(
        "Without a learned model: on two talkers the best classical method has +"
    )
    assert text.endswith("] over the unprocessed mixture.")


def test_a_run_without_a_classical_method_says_so(tmp_path):
    def change(values):
        methods = values["separate"]["methods"]
        for name in [n for n, m in methods.items() if m["model"] in CLASSICAL]:
            del methods[name]
        values["report"]["classical"] = "learned-sdr-iss"

    found = said(tmp_path, change)
    assert str(found).endswith("] over the unprocessed mixture.")
    assert found.notes[0] == "This run has no classical method to compare with."


def test_a_run_of_bounds_alone_says_so(tmp_path):
    def change(values):
        bound = {"model": "true-source", "rule": "iss", "iterations": 20, "stft": None}
        values["separate"]["methods"] = {"bound": bound}
        values["report"] |= dict.fromkeys(
            ("classical", "learned_sdr", "learned_coherence"), "bound"
        )
        values["report"]["other_rules"] = []

    text = str(said(tmp_path, change))
    assert text == "This run has neither a learned nor a classical method."


@pytest.mark.parametrize("count", [3, 20])
def test_failures_are_said(tmp_path, count):
    chosen = fake.settings(mixtures=20)
    fake.write(tmp_path, chosen)
    for name in chosen.separate.sets:
        path = tmp_path / f"results/scores/learned-sdr-iss/{name}.csv"
        fake.edit(path, lambda rows: [r.update(si_sdr="nan") for r in rows if fails(r, count)])
    found = headline.headline(results.read(chosen, tmp_path))
    if count == 20:
        assert str(found) == "On two talkers the learned model failed on all 20 separations."
    else:
        assert "learned-sdr-iss failed on 3 of 20, which count as unprocessed." in found.notes


def fails(row: dict[str, str], count: int) -> bool:
    return int(row["id"].rpartition("-")[2]) < count


def test_one_mixture_has_no_interval(tmp_path):
    chosen = fake.settings(mixtures=1)
    fake.write(tmp_path, chosen)
    text = str(headline.headline(results.read(chosen, tmp_path)))
    assert "too few mixtures" in text and "[" not in text and "nan" not in text


def test_the_set_is_the_one_with_as_many_talkers_as_the_training(tmp_path):
    chosen = fake.settings(mixtures=4, sets=["test4", "test2"])
    fake.write(tmp_path, chosen)
    assert str(headline.headline(results.read(chosen, tmp_path))).startswith("On two talkers")


@pytest.mark.parametrize(
    ("bounds", "side"), [((0.01, 2), "better"), ((-2, -0.01), "worse"), ((-1, 1), "open")]
)
def test_no_bound_is_rounded_to_zero(bounds, side):
    interval = Interval(sum(bounds) / 2, *bounds, 9)
    assert headline.side(interval) == side
    assert "[0.0," not in headline.difference(interval)
    assert " 0.0]" not in headline.difference(interval)
    assert headline.side(Interval(1, math.nan, math.nan, 1)) == "open"
