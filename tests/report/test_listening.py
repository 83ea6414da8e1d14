"""What is played is chosen by the rule, equally loud, and the same whenever it is made."""

from ssml.report import listening, results
from tests.report import fake_tables as fake


def test_the_best_the_median_and_the_worst_are_chosen(made):
    found = made[1]
    for test_set in found.sets:
        scores = found.scores["learned-sdr-iss", test_set].values("si_sdr")
        heard = found.transcripts["mixture", test_set].texts
        order = sorted((score for id, score in scores.items() if id in heard), reverse=True)
        chosen = {
            one.why: scores[one.id] for one in listening.choose(found) if one.test_set == test_set
        }
        assert chosen["best"] == order[0] and chosen["worst"] == order[-1]
        assert chosen["median"] == order[(len(order) - 1) // 2]


def test_a_failure_is_the_worst_and_a_mixture_is_chosen_once(tmp_path):
    chosen = fake.settings(mixtures=2)
    fake.write(tmp_path, chosen)

    def fail(rows):
        rows[0]["si_sdr"] = "nan"

    fake.edit(tmp_path / "results/scores/learned-sdr-iss/test2.csv", fail)
    found = listening.choose(results.read(chosen, tmp_path))
    assert [(one.id, one.why) for one in found if one.test_set == "test2"] == [
        ("test2-00001", "best"),
        ("test2-00000", "worst"),
    ]
