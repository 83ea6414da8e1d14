"""The page: whole, alone, deterministic, and safe with hostile text."""

import re
from html.parser import HTMLParser

import fake_tables as fake
import pytest

from ssml import params
from ssml.report import page, pictures, results, tables


@pytest.fixture(scope="module")
def written(made) -> str:
    return fake.html(made[1])


class Parsed(HTMLParser):
    """Open elements, references and ids of a page."""

    VOID = frozenset({"meta", "link", "br", "img", "input", "path", "use", "rect"})

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.figures: list[str] = []
        self.count: dict[str, int] = {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        self.note(tag, dict(attrs))

    def handle_startendtag(self, tag, attrs):
        self.note(tag, dict(attrs))

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def note(self, tag: str, attributes: dict) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1
        self.links += [
            attributes[k] or "" for k in ("src", "href", "xlink:href") if k in attributes
        ]
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.figures += [attributes["data-figure"]] if "data-figure" in attributes else []


def test_page_is_whole_and_asks_for_nothing_outside(made, written):
    parsed = Parsed(written)
    assert parsed.open == []
    assert all(link.startswith("#") or link == "data:," for link in parsed.links)
    assert not re.search(r"url\(\s*['\"]?(?!#)|@import|fetch\(|XMLHttpRequest", written)
    assert len(parsed.ids) == len(set(parsed.ids))
    assert {link[1:] for link in parsed.links if link.startswith("#")} <= set(parsed.ids)
    assert parsed.count["h1"] == 1 and parsed.count["caption"] == parsed.count["table"] == 4


def test_every_figure_is_in_the_page_and_names_itself(made, written):
    found = made[1]
    plates = pictures.plates(found, tables.summarise(found))
    names = [picture.name for plate in plates for picture in plate.pictures]
    assert len(names) == len(set(names)) == 3 * 5 + 2
    assert Parsed(written).figures == names
    assert written.count("<svg ") == written.count('role="img"') == len(names)
    for plate in plates:
        for picture in plate.pictures:
            assert picture.svg.startswith("<svg") and picture.alt


def test_the_same_tables_give_the_same_page(made, written):
    assert fake.html(made[1]) == written
    assert not re.search(r"20\d\d-\d\d-\d\d", written)


def test_page_says_what_was_run(made, written):
    assert fake.DIGESTS["Parameters"] in written
    assert "constrained to the grammar" in written
    assert "snakemake --cores all" in written and "make ui" in written
    every = made[1].params.train.variants["learned-sdr"].validate_every
    assert f"validate_every: {every}" in written


def test_page_shows_a_verdict_for_each_claim(tmp_path, written):
    assert written.count('class="verdict yes"') == 4
    found = fake.read_with(tmp_path, si_sdr=fake.SI_SDR | {"laplace": 5.5})
    text = fake.html(found, figures=False)
    assert text.count('class="verdict no"') == 3
    assert '<span class="reason">not shown</span>' in text


def test_hostile_text_is_escaped(tmp_path):
    evil = "<script>alert(1)</script>&\"'"
    chosen = fake.settings(mixtures=3, resamples=20, title=evil)
    values = chosen.model_dump(mode="json")
    values["mix"]["noise"] = "</pre><img src=x onerror=alert(2)>"
    values["separate"]["methods"]["laplace-ip"]["model"] = "</script><b>"
    chosen = params.parse(values)
    fake.write(tmp_path, chosen)
    text = fake.html(results.read(chosen, tmp_path))
    assert "<script>alert" not in text and "<img" not in text and "</script><b>" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert Parsed(text).open == []


def test_comparisons_are_paired_and_turn_their_sign(made):
    found = page.comparisons(made[1])["test2"]["si_sdr"]
    ours = found["laplace-iss"]["learned-sdr-iss"]
    theirs = found["learned-sdr-iss"]["laplace-iss"]
    assert ours == pytest.approx([-theirs[0], -theirs[2], -theirs[1]])
    assert "laplace-iss" not in found["laplace-iss"]
