"""What is played is chosen by the rule; a player for each talker, four methods at once."""

from ssml.report import chosen, listening, results
from ssml.report.rivals import best_classical
from tests.report import fake_tables as fake
from tests.report.parsed import attributes, by_class, parse, text_of


def test_the_best_the_median_and_the_worst_are_chosen(made):
    found = made[1]
    for test_set in found.sets:
        scores = found.scores["learned-sdr-iss", test_set].values("si_sdr")
        heard = found.transcripts["mixture", test_set].texts
        order = sorted((score for id, score in scores.items() if id in heard), reverse=True)
        picked = {
            one.why: scores[one.id] for one in chosen.choose(found) if one.test_set == test_set
        }
        assert picked["best"] == order[0] and picked["worst"] == order[-1]
        assert picked["median"] == order[(len(order) - 1) // 2]


def test_a_failure_is_the_worst_and_a_mixture_is_chosen_once(tmp_path):
    run = fake.settings(mixtures=2)
    fake.write(tmp_path, run)

    def fail(rows):
        rows[0]["si_sdr"] = "nan"

    fake.edit(tmp_path / "results/scores/learned-sdr-iss/test2.csv", fail)
    found = chosen.choose(results.read(run, tmp_path))
    assert [(one.id, one.why) for one in found if one.test_set == "test2"] == [
        ("test2-00001", "best"),
        ("test2-00000", "worst"),
    ]


def test_a_player_for_each_talker_with_a_button_for_each_method(made, pieces):
    root = parse(listening.render(made[1], pieces[0]))
    players = by_class(root, "player")
    assert len(players) == 3 * (2 + 3 + 4) == len(list(root.iter("audio")))
    methods = {"mixture", "reference", *made[1].methods}
    sets = [piece.chosen.test_set for piece in pieces[0] for _ in piece.talkers]
    for test_set, player in zip(sets, players, strict=True):
        buttons = [b for b in player.iter("input") if b.get("type") == "radio"]
        assert len(list(player.iter("audio"))) == 1 and len({b.get("name") for b in buttons}) == 1
        assert {button.get("value") for button in buttons} == methods
        assert [b.get("value") for b in buttons if "checked" in b.attrib] == ["learned-sdr-iss"]
        (folded,) = player.iter("details")
        hidden = [button.get("value") for button in folded.iter("input")]
        at_once = [b.get("value") for b in buttons if b.get("value") not in hidden]
        assert at_once == [
            *("mixture", best_classical(made[1], test_set)),
            *("learned-sdr-iss", "reference"),
        ]
        assert "open" not in folded.attrib


def test_every_button_has_its_files_and_no_file_is_without_a_button(made, pieces):
    root = parse(listening.render(made[1], pieces[0]))
    named = set(attributes(root, "data-sound", "data-image"))
    assert named == {f"audio/{name}" for name in pieces[1]}
    for player in by_class(root, "player"):
        (now,) = [b for b in player.iter("input") if "checked" in b.attrib]
        assert next(player.iter("audio")).get("src") == now.get("data-sound")
        assert next(player.iter("img")).get("src") == now.get("data-image")


def test_a_button_has_its_number_and_only_the_chosen_methods_words_show(made, pieces):
    root = parse(listening.render(made[1], pieces[0]))
    player = by_class(root, "player")[0]
    one = chosen.choose(made[1])[0]
    labels = {label.get("for"): text_of(label) for label in player.iter("label")}
    for method in made[1].methods:
        score = made[1].scores[method, one.test_set].sources[one.id][0]
        (label,) = [text for key, text in labels.items() if key.endswith(f"-1-{method}")]
        assert label.replace("\N{MINUS SIGN}", "-") == f"{method} {score:.1f}"
    shown = [w.get("data-method") for w in by_class(player, "words") if "hidden" not in w.attrib]
    assert shown == ["learned-sdr-iss"]


def test_the_page_is_small_enough_to_read(made, pieces):
    """One player and one picture for a talker: not one for each method."""
    root = parse(listening.render(made[1], pieces[0]))
    assert len(list(root.iter("img"))) == len(by_class(root, "player"))
    ids = list(attributes(root, "id"))
    assert len(ids) == len(set(ids))
    links = [link[1:] for link in attributes(root, "href") if link.startswith("#")]
    assert set(links) <= set(ids)
