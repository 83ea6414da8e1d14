"""The first screen: the sentence, all methods as dots, three players, the claims in short."""

import pytest

from ssml.config import layout, params
from ssml.report import chosen, claims, dots, focus, headline, results, tables
from tests.report import fake_tables as fake
from tests.report.parsed import attributes, by_class, by_id, parse, text_of


@pytest.fixture(scope="module")
def root(written):
    return parse(written)


def test_it_comes_first_and_holds_the_four_parts(made, root):
    (main,) = root.iter("main")
    sections = [section.get("id") for section in main.iter("section")]
    assert sections[0] == "result"
    assert sections.index("figures") < sections.index("results")
    first = by_id(root, "result")
    (heading,) = root.iter("h1")
    assert heading in list(first.iter()) and text_of(heading) == str(headline.headline(made[1]))
    assert [child.get("class") for child in first][1:] == ["plot", "beside"]
    assert len(list(by_class(first, "beside")[0].iter("audio"))) == 3
    assert len(by_class(first, "lines")[0]) == 4


def test_the_dots_are_of_every_method_on_every_set_the_best_first(made, root):
    plot = by_class(by_id(root, "result"), "dots")[0]
    (body,) = plot.iter("tbody")
    names = [row.get("data-method") for row in body]
    assert set(names) == {"mixture", *made[1].methods} and names[-1] == "mixture"
    rows = {(r.test_set, r.method): r for r in tables.summarise(made[1])}
    means = [rows["test2", name].si_sdr.mean for name in names]
    assert means == sorted(means, reverse=True)
    for row in body:
        assert [len(list(cell.iter("line"))) > 0 for cell in row.iter("td")] == [True] * 3
    texts = [text_of(cell) for cell in body[0].iter("td")]
    assert all(
        tables.decibels(rows[s, names[0]].si_sdr).split()[0] in t
        for s, t in zip(made[1].sets, texts, strict=True)
    )


def test_a_narrow_page_shows_one_set_that_radio_buttons_choose(made, root):
    plot = by_class(by_id(root, "result"), "dots")[0]
    buttons = [button for button in plot.iter("input") if button.get("type") == "radio"]
    assert len(buttons) == len(made[1].sets) and len({b.get("name") for b in buttons}) == 1
    labelled = {label.get("for") for label in plot.iter("label")}
    assert {button.get("id") for button in buttons} == labelled


def test_the_players_are_the_mixture_the_best_classical_and_the_learned(made, root):
    (sounds,) = by_class(by_id(root, "result"), "sounds")
    one = chosen.typical(made[1])
    assert (one.test_set, one.why) == ("test2", "median")
    played = [audio.get("src") for audio in sounds.iter("audio")]
    stems = [
        f"{one.id}-{name}-1" for name in ("mixture", focus.baseline(made[1]), "learned-sdr-iss")
    ]
    assert played == [f"{layout.AUDIO.name}/{stem}.mp3" for stem in stems]
    score = made[1].scores["learned-sdr-iss", "test2"].sources[one.id][0]
    assert f"{score:.1f} dB" in text_of(list(sounds)[2]).replace("\N{MINUS SIGN}", "-")


def test_the_claims_are_lines_with_their_word_and_lead_to_their_evidence(made, root):
    (lines,) = by_class(by_id(root, "result"), "lines")
    for line, claim in zip(lines, claims.claims(made[1]), strict=True):
        (link,) = line.iter("a")
        assert claim.statement in text_of(link)
        assert claim.verdict.capitalize() in text_of(link)
        assert claim.statement in text_of(by_id(root, link.get("href")[1:]))


def test_contents_name_every_section(root):
    (nav,) = root.iter("nav")
    linked = [link[1:] for link in attributes(nav, "href") if link.startswith("#")]
    sections = {section.get("id") for section in root.iter("section")}
    assert sections - set(linked) == {"again"}
    assert layout.LISTEN.name in list(attributes(nav, "href"))
    assert "nav.contents" in "".join(style.text or "" for style in root.iter("style"))


def test_numbers_and_figures_can_be_taken_away(made, root):
    links = {a.get("download"): a.get("href") for a in root.iter("a") if a.get("download")}
    assert set(links) == {"summary.csv", "summary.tex", "summary.md"}
    assert all(link.startswith("data:text/") for link in links.values())
    taken = set(attributes(root, "href"))
    for name in layout.figures(made[1].params)["si-sdr"]:
        assert {f"figures/{name}.svg", f"figures/{name}.pdf"} <= taken


def test_a_table_says_that_it_scrolls(root):
    tables_in_regions = [t for wide in by_class(root, "wide") for t in wide.iter("table")]
    elsewhere = [t for plot in by_class(root, "dots") for t in plot.iter("table")]
    assert len(tables_in_regions) + len(elsewhere) == len(list(root.iter("table")))
    for wide in by_class(root, "wide"):
        (hint,) = by_class(wide, "more")
        (region,) = by_class(wide, "scroll")
        assert "hidden" in hint.attrib  # until the script finds it too wide
        assert region.get("tabindex") == "0" and region.get("role") == "region"


def test_without_a_learned_method_it_plays_and_says_what_there_is(tmp_path):
    values = fake.settings(mixtures=4).model_dump(mode="json")
    values["report"] |= {"learned_sdr": "nmf-iss", "learned_coherence": "nmf-iss"}
    run = params.parse(values)
    fake.write(tmp_path, run)
    found = results.read(run, tmp_path)
    assert [s.title for s in chosen.first_sounds(found)] == ["Mixture", "Best classical"]
    root = parse(fake.html(found, plates=[]))
    assert text_of(next(root.iter("h1"))).startswith("Without a learned model")


def test_a_failed_sound_is_called_so(tmp_path):
    run = fake.settings(mixtures=1, sets=["test2"])
    fake.write(tmp_path, run)
    path = tmp_path / "results/scores/learned-sdr-iss/test2.csv"
    fake.edit(path, lambda rows: [row.update(si_sdr="nan", failure="silent") for row in rows])
    root = parse(fake.html(results.read(run, tmp_path), plates=[]))
    (sounds,) = by_class(root, "sounds")
    assert text_of(list(sounds)[2]).endswith("failed")
    assert "1 of 1 failed" in text_of(by_id(root, "dots-si-sdr"))


def test_places_are_within_the_axis_and_ticks_are_round(made):
    rows = tables.summarise(made[1])
    plot = dots.dots(made[1], rows, "wer", "WER", lambda r: r.wer, (100, 0), min)
    places = [x for line in plot.lines for d in line.dots if d for x in (d.low, d.place, d.high)]
    assert all(x is not None and 0 <= x <= 100 for x in places)
    assert 2 <= len(plot.ticks) <= 5
    assert plot.lines[0].method == "reference"  # the fewest errors first
    assert sum(d.best for line in plot.lines for d in line.dots if d) == 3
    assert {line.method for line in plot.lines if line.kind == "main"} == {
        focus.baseline(made[1]),
        "learned-sdr-iss",
    }
