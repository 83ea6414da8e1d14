"""The four claims turn with the data."""

from dataclasses import replace

import numpy as np
import pytest

from ssml.config import mixtures, params, sections
from ssml.files.errors import UserError
from ssml.report import claims, results, tables
from ssml.report.chosen import choose
from tests.report import fake_tables as fake


def verdicts(found) -> list[str]:
    return [claim.verdict for claim in claims.claims(found)]


def test_all_claims_hold_where_the_data_say_so(made):
    assert verdicts(made[1]) == ["shown"] * 4
    assert all(claim.lines for claim in claims.claims(made[1]))


@pytest.mark.parametrize(
    ("claim", "change", "verdict"),
    [
        (0, {"si_sdr": {"gauss": 8.0}}, "refuted"),
        (0, {"wer": {"laplace": 0.2}}, "refuted"),
        (0, {"wer": {"laplace": 0.38, "gauss": 0.38, "nmf": 0.38}}, "open"),
        (0, {"si_sdr": {"laplace": 5.5}}, "open"),
        (1, {"si_sdr": {"laplace": 8.0}}, "refuted"),
        (1, {"si_sdr": {"gauss": 8.0}}, "refuted"),
        (1, {"si_sdr": {"laplace": 5.5}}, "open"),
        (2, {"si_sdr": {"laplace": 5.5}}, "open"),
        (2, {"si_sdr": {"laplace": 8.0}}, "refuted"),
        (3, {"speed": {"learned-sdr": 6.0, "learned-coherence": 2.0}}, "refuted"),
        (3, {"wer": {"learned-coherence": 0.36}}, "open"),
        (3, {"wer": {"gauss": 0.1}}, "refuted"),
    ],
)
def test_claims_turn_with_the_data(tmp_path, claim, change, verdict):
    base = {"si_sdr": fake.SI_SDR, "wer": fake.WER, "speed": fake.SPEED}
    found = fake.read_with(tmp_path, **{k: base[k] | v for k, v in change.items()})
    assert verdicts(found)[claim] == verdict


def test_a_training_on_several_numbers_of_talkers_is_shown_on_larger_ones_alone(made):
    found = made[1]
    train = found.params.train
    redraw = mixtures.RedrawParams(
        level=(-5, 5), snr=(10, 30), speed=(1, 1), tone=0, talkers=[2, 3]
    )
    chosen = train.model_copy(update={"redraw": redraw})
    several = replace(found, params=found.params.model_copy(update={"train": chosen}))
    assert several.params.talkers == [2, 3]
    claim = claims.more_speakers(several)
    assert claim.statement.startswith("Trained on 2 and 3 speakers only")
    assert len(claim.evidence) == 1 and "test4" in claim.evidence[0].what
    assert {"test2", "test3"} == {*claims._sets_like_training(several)}


def fail(root, method, count, sets=("test2", "test3", "test4")):
    """Let a method fail on the first `count` mixtures of each set."""

    def edit(rows):
        for row in rows:
            if int(row["id"].rpartition("-")[2]) < count:
                row["si_sdr"], row["failure"] = "nan", "not finite"

    for name in sets:
        fake.edit(root / f"results/scores/{method}/{name}.csv", edit)


@pytest.mark.parametrize(("count", "verdict"), [(0, "shown"), (24, "refuted"), (30, "refuted")])
def test_failures_of_the_learned_method_count_against_it(tmp_path, count, verdict):
    """What it leaves is the mixture, which is below the classical methods."""
    chosen = fake.settings()
    fake.write(tmp_path, chosen)
    fail(tmp_path, "learned-sdr-iss", count)
    found = results.read(chosen, tmp_path)
    assert verdicts(found)[:2] == [verdict, verdict]
    if count:
        line = claims.claims(found)[0].lines[0]
        assert "30 mixtures" in line and f"learned-sdr-iss failed on {count}" in line


def test_a_rival_that_fails_counts_as_the_mixture(tmp_path):
    """Gauss would win on the mixtures that it separates: its failures make it no rival."""
    chosen = fake.settings()
    fake.write(tmp_path, chosen, fake.SI_SDR | {"gauss": 9.0})
    assert verdicts(results.read(chosen, tmp_path))[0] == "refuted"
    fail(tmp_path, "gauss-iss", 27)
    claim = claims.claims(results.read(chosen, tmp_path))[0]
    assert claim.verdict == "shown" and "gauss-iss" not in claim.lines[0]


def test_the_rival_is_the_best_of_any_rule(tmp_path):
    """A classical method by another rule than the learned one is as good a rival."""
    chosen = fake.settings()
    fake.write(tmp_path, chosen)

    def better(rows):
        for row in rows:
            row["si_sdr"] = str(float(row["si_sdr"]) + 9)

    fake.edit(tmp_path / "results/scores/laplace-ip2/test2.csv", better)
    claim = claims.claims(results.read(chosen, tmp_path))[0]
    assert claim.verdict == "refuted" and "against laplace-ip2" in claim.lines[0]


def test_a_rival_on_fewer_mixtures_is_compared_on_those(tmp_path):
    """It counts by what it gains there, and the interval names how many mixtures it rests on."""
    values = fake.settings().model_dump(mode="json")
    one = {"model": "peer:pyroomacoustics-ilrma", "rule": "ip", "iterations": 20, "mixtures": 12}
    values["separate"]["methods"]["peer"] = one
    chosen = params.parse(values)
    fake.write(tmp_path, chosen, fake.SI_SDR | {one["model"]: 9.0})
    found = results.read(chosen, tmp_path)
    claim = claims.claims(found)[0]
    assert claim.verdict == "refuted"
    assert "against peer" in claim.lines[0] and "12 mixtures" in claim.lines[0]
    row = next(r for r in tables.summarise(found) if (r.method, r.test_set) == ("peer", "test2"))
    assert row.mixtures == 12
    assert found.curves["peer", "test2"].values.shape[0] == 30
    assert all(int(one.id.rpartition("-")[2]) < 12 for one in choose(found))
    assert fake.html(found)


def test_without_a_rival_nothing_is_shown(tmp_path):
    chosen = fake.settings()
    values = chosen.model_dump(mode="json")
    learned = {k: v for k, v in values["separate"]["methods"].items() if "learned" in k}
    values["separate"]["methods"] = learned
    values["report"]["classical"] = "learned-sdr-iss"
    chosen = params.parse(values)
    fake.write(tmp_path, chosen)
    found = claims.claims(results.read(chosen, tmp_path))
    assert [claim.verdict for claim in found[:3]] == ["open"] * 3
    assert "no classical method" in found[0].lines[0]


def test_a_tie_is_open(tmp_path):
    same = dict.fromkeys(fake.SI_SDR, 3.0)
    found = fake.read_with(tmp_path, si_sdr=same, wer=dict.fromkeys(fake.WER, 0.4))
    assert verdicts(found)[:2] == ["open", "open"]


@pytest.mark.parametrize("mixtures", [1, 2])
def test_one_mixture_shows_nothing(tmp_path, mixtures):
    chosen = fake.settings(mixtures=mixtures)
    fake.write(tmp_path, chosen)
    found = verdicts(results.read(chosen, tmp_path))
    assert found[0] != "refuted" and (mixtures > 1 or found == ["open"] * 4)


def test_a_rule_that_loses_more_than_the_margin_is_no(tmp_path):
    chosen = fake.settings()
    fake.write(tmp_path, chosen)

    def worse(rows: list[dict[str, str]]) -> None:
        for row in rows:
            row["si_sdr"] = str(float(row["si_sdr"]) - 2.5)

    fake.edit(tmp_path / "results/scores/learned-sdr-ip2/test2.csv", worse)
    claim = claims.claims(results.read(chosen, tmp_path))[2]
    assert claim.verdict == "refuted"
    statuses = {e.what: e.status for e in claim.evidence}
    assert (
        statuses["SI-SDR on test2, learned-sdr-ip2 against learned-sdr-iss, at most 1 dB lost"]
        == "refuted"
    )


def test_another_rule_is_compared_with_its_own_laplace(made):
    lines = claims.claims(made[1])[2].lines
    assert any("learned-sdr-ip against laplace-ip:" in line for line in lines)
    assert any("learned-sdr-ip2 against laplace-ip2:" in line for line in lines)


def test_a_bound_is_no_rival_and_never_the_best(tmp_path):
    chosen = fake.settings()
    bound = sections.MethodParams(model="least-squares", rule="iss", iterations=1)
    methods = {**chosen.separate.methods, "bound": bound}
    separate = chosen.separate.model_copy(update={"methods": methods})
    chosen = chosen.model_copy(update={"separate": separate})
    fake.write(tmp_path, chosen, {**fake.SI_SDR, "least-squares": 20.0})
    found = results.read(chosen, tmp_path)
    assert not [line for claim in claims.claims(found) for line in claim.lines if "bound" in line]
    page = tables.markdown(tables.summarise(found))
    assert "| bound | 20" in page.replace("**", "") and "| bound | **" not in page


def test_without_transcripts_the_claims_on_words_are_open(tmp_path):
    chosen = fake.settings()
    values = chosen.model_dump(mode="json")
    values["transcribe"]["mixtures"] = 0
    chosen = params.parse(values)
    fake.write(tmp_path, chosen)
    found = results.read(chosen, tmp_path)
    assert verdicts(found) == ["open", "shown", "shown", "open"]
    assert "WER" not in tables.ascii_table(tables.summarise(found))
    assert "nothing was transcribed" in fake.html(found, plates=[])


def test_where_one_set_was_transcribed_words_stand_with_that_set_alone(tmp_path):
    values = fake.settings().model_dump(mode="json")
    values["transcribe"]["sets"] = ["test2"]
    chosen = params.parse(values)
    fake.write(tmp_path, chosen)
    found = results.read(chosen, tmp_path)
    assert {name for _, name in found.transcripts} == {"test2"}
    assert verdicts(found) == ["shown"] * 4
    page = fake.html(found, plates=[])
    assert page.count("; words of ") == 1 and page.count("Capped WER, %") == 1
    values["transcribe"]["sets"] = ["test9"]
    with pytest.raises(UserError, match="transcribe.sets: no 'test9' among test2, test3, test4"):
        params.parse(values)


def test_iterations_to_gain_is_linear_between_iterations():
    def speed(*curve, at=None):
        at = np.arange(len(curve)) if at is None else np.array(at)
        return claims.iterations_to_gain(at, np.array(curve))

    assert speed(0.0, 10.0) == pytest.approx(0.9)
    assert speed(0.0, 8.0, 10.0, 10.0) == pytest.approx(1.5)
    assert speed(0.0, 8.0, 10.0, 10.0, at=[0, 1, 11, 20]) == pytest.approx(6)
    assert speed(3.0, 2.0, 3.0) == np.inf
