"""A corpus of the user's own: it is prepared by a function beside params.yaml."""

import sys

import pytest

from ssml.data import corpora
from ssml.data.corpora import Utterance
from ssml.files.errors import UserError
from tests.data.corpora.test_manifest import section

MINE = """from ssml.data.corpora import Utterance

LIMIT = 1


def tapes(corpus, seed, root, *, speakers=2):
    return [
        Utterance("train", str(i), "", f"{seed}-{i}", f"{root.name}/{i}.flac", 9, "0" * 64, "")
        for i in range(speakers)
    ]


def words(corpus, seed, root):
    return ["a"]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    sys.modules.pop("mine", None)


def own(name, **options):
    return section("synthetic").model_copy(update={"source": name, "options": options})


def test_it_gets_its_options_and_the_folder_of_its_audio(folder):
    chosen = own("mine:tapes", speakers=3, root=str(folder / "audio"))
    found = corpora.prepare(chosen, 7, corpora.root(chosen, folder))
    assert found[2] == Utterance("train", "2", "", "7-2", "audio/2.flac", 9, "0" * 64, "")
    assert len(found) == 3
    assert corpora.root(own("mine:tapes"), folder) == folder / "own"


@pytest.mark.parametrize(
    "name, options, words",
    [
        ("mine:tapes", {"speaker": 3}, "corpus.options: mine:tapes: .*unexpected .*'speaker'"),
        ("mine:words", {}, "corpus.source: mine:words gave no list of Utterance"),
        ("mine:LIMIT", {}, "corpus.source: mine:LIMIT is of type int, not a function"),
        ("mine:none", {}, "mine.py: defines no none"),
    ],
)
def test_a_mistake_is_one_line(name, options, words, folder):
    with pytest.raises(UserError, match=words):
        corpora.prepare(own(name, **options), 1, folder)
