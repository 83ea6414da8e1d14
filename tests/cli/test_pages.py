"""`ssml demo` and `ssml separate --page`: one file that opens from disk, and says what is true."""

import re

import pytest

from ssml import samples
from tests.cli.shell import listed, record, refused, run


@pytest.fixture
def demo(capsys):
    code, out, _ = run(capsys, "demo")
    assert code == 0
    return out


def test_the_demo_separates_and_writes_a_page(demo, folder):
    before, after = map(float, re.findall(r"(-?\d+\.\d) dB", demo))
    assert before < 0.5 and after > 9
    assert listed("ssml-demo") == ["index.html", "two-talkers-1.wav", "two-talkers-2.wav"]
    page = (folder / "ssml-demo/index.html").read_text()
    assert page.count("<audio") == page.count("data:audio/mpeg;base64,") == 3
    assert page.count("data:image/webp;base64,") == 3
    assert ">learned<" in page and "iss-6-sweeps, 20 iterations" in page
    assert f"SI-SDR {after:.1f} dB" in page
    assert not re.search(r"https?://", page)
    assert run_again_replaces(folder)


def run_again_replaces(folder):
    from ssml.cli.main import main

    return main(["demo"]) == 0 and len(listed("ssml-demo")) == 3


def test_the_page_of_two_recordings_links_them(capsys, folder):
    record("a.wav", 2)
    record("b.wav", 3)
    code, out, _ = run(capsys, "separate", "--page", "a.wav", "b.wav", "out")
    assert code == 0 and "listen: out/index.html" in out
    page = (folder / "out/index.html").read_text()
    assert page.count("<audio") == 2 + 1 + 3 + 1
    assert '<a href="#r1">a.wav</a>' in page and 'href="b-3.wav"' in page


def test_a_page_that_exists_is_kept_unless_forced(capsys, folder):
    record("a.wav", 2)
    (folder / "out").mkdir()
    (folder / "out/index.html").write_text("mine")
    said = refused(capsys, "separate", "--page", "a.wav", "out")
    assert "out/index.html exists already; --force replaces it" in said
    assert (folder / "out/index.html").read_text() == "mine" and listed("out") == ["index.html"]
    assert run(capsys, "separate", "--page", "--force", "a.wav", "out")[0] == 0
    assert (folder / "out/index.html").read_text() != "mine"


def test_the_sample_is_small_and_names_its_sources():
    size = sum(path.stat().st_size for path in samples.FOLDER.glob("*.flac"))
    assert size < 400_000
    text = (samples.FOLDER / "README.md").read_text()
    assert "CC BY 4.0" in text and "LibriSpeech" in text
