"""The four claims turn with the data."""

import numpy as np
import pytest

from ssml.config import params, sections
from ssml.report import claims, results, tables
from tests.report import fake_tables as fake


def test_all_claims_hold_where_the_data_say_so(made):
    found = claims.claims(made[1])
    assert [(claim.verdict, claim.reason) for claim in found] == [("yes", "")] * 4
    assert all(claim.lines for claim in found)


@pytest.mark.parametrize(
    ("claim", "change", "reason"),
    [
        (0, {"si_sdr": {"gauss": 8.0}}, "the opposite was seen"),
        (0, {"wer": {"laplace": 0.2}}, "the opposite was seen"),
        (0, {"wer": {"laplace": 0.38, "gauss": 0.38, "nmf": 0.38}}, "not shown"),
        (1, {"si_sdr": {"laplace": 8.0}}, "the opposite was seen"),
        (1, {"si_sdr": {"laplace": 5.5}}, "not shown"),
        (2, {"si_sdr": {"laplace": 5.5}}, "not shown"),
        (3, {"speed": {"learned-sdr": 6.0, "learned-coherence": 2.0}}, "the opposite was seen"),
        (3, {"wer": {"learned-coherence": 0.36}}, "not shown"),
    ],
)
def test_claims_turn_with_the_data(tmp_path, claim, change, reason):
    base = {"si_sdr": fake.SI_SDR, "wer": fake.WER, "speed": fake.SPEED}
    found = fake.read_with(tmp_path, **{k: base[k] | v for k, v in change.items()})
    verdict = claims.claims(found)[claim]
    assert (verdict.verdict, verdict.reason) == ("no", reason)


def test_a_rule_that_loses_more_than_the_margin_is_no(tmp_path):
    chosen = fake.settings()
    fake.write(tmp_path, chosen)

    def worse(rows: list[dict[str, str]]) -> None:
        for row in rows:
            row["si_sdr"] = str(float(row["si_sdr"]) - 2.5)

    fake.edit(tmp_path / "results/scores/learned-sdr-ip2/test2.csv", worse)
    claim = claims.claims(results.read(chosen, tmp_path))[2]
    assert claim.verdict == "no"
    statuses = {e.what: e.status for e in claim.evidence}
    assert (
        statuses["SI-SDR on test2, learned-sdr-ip2 against learned-sdr-iss, at most 1 dB lost"]
        == "contradicted"
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


def test_without_transcripts_the_claims_on_words_are_not_shown(tmp_path):
    chosen = fake.settings()
    values = chosen.model_dump(mode="json")
    values["transcribe"]["mixtures"] = 0
    chosen = params.parse(values)
    fake.write(tmp_path, chosen)
    found = results.read(chosen, tmp_path)
    verdicts = [claim.verdict for claim in claims.claims(found)]
    assert verdicts == ["no", "yes", "yes", "no"]
    assert claims.claims(found)[0].reason == "not shown"
    assert "WER" not in tables.ascii_table(tables.summarise(found))
    assert "nothing was transcribed" in fake.html(found, figures=False)


def test_iterations_to_gain_is_linear_between_iterations():
    def speed(*curve, at=None):
        at = np.arange(len(curve)) if at is None else np.array(at)
        return claims.iterations_to_gain(at, np.array(curve))

    assert speed(0.0, 10.0) == pytest.approx(0.9)
    assert speed(0.0, 8.0, 10.0, 10.0) == pytest.approx(1.5)
    assert speed(0.0, 8.0, 10.0, 10.0, at=[0, 1, 11, 20]) == pytest.approx(6)
    assert speed(3.0, 2.0, 3.0) == np.inf
