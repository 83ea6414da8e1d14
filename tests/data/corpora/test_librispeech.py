"""Folders in LibriSpeech's layout: what they hold is listed, and every fault is named."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from ssml.config.sections import CorpusParams
from ssml.data import corpora
from ssml.data.corpora import librispeech
from ssml.files import io
from ssml.files.errors import UserError

REPOSITORY = Path(__file__).parents[3]
DEFAULTS = {
    "root": None,
    "train": ["train-clean-100"],
    "dev": ["dev-clean"],
    "test": ["test-clean"],
    "held_out": 1,
    "utterances": None,
    "download": False,
}
COUNTS = {"train": 1, "dev": 1, "test": 1}


def section(**values) -> CorpusParams:
    return CorpusParams.model_validate(
        {
            "source": "librispeech",
            "synthetic": {"voices": COUNTS, "utterances": COUNTS},
            "librispeech": {**DEFAULTS, **values},
        }
    )


def write(root: Path, subset: str, speaker: str, count: int = 2, samples: int = 1600) -> None:
    chapter = root / subset / speaker / "7"
    random = np.random.default_rng(int(speaker))
    for index in range(count):
        audio = 0.1 * random.uniform(-1, 1, samples + index)
        io.write_bytes(chapter / f"{speaker}-7-{index:04d}.flac", io.encode_flac(audio, 16000))


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "LibriSpeech"
    for subset, speakers in (
        ("train-clean-100", ("11", "12", "13")),
        ("dev-clean", ("21",)),
        ("test-clean", ("31", "32")),
    ):
        for speaker in speakers:
            write(folder, subset, speaker)
    chapter = folder / "test-clean/31/7"
    (chapter / "31-7.trans.txt").write_text("31-7-0000 HELLO WORLD\n31-7-0001 GOOD BYE\n")
    (folder / "SPEAKERS.TXT").write_text(
        "; comment | F |\n11   | F | train-clean-100  | 25.1 | A | B\n31 | M | test-clean | 8 | C\n"
    )
    return folder


def prepare(root: Path, **values) -> list[corpora.Utterance]:
    return librispeech.prepare(section(**values), 1, root)


def fails(match: str, root: Path, **values) -> None:
    with pytest.raises(UserError, match=match) as caught:
        prepare(root, **values)
    assert "\n" not in str(caught.value)


def test_every_file_is_listed_with_what_is_known_of_it(root):
    utterances = {item.utterance: item for item in prepare(root)}
    assert len(utterances) == 12
    item = utterances["31-7-0001"]
    assert (item.split, item.speaker, item.sex, item.text) == ("test", "31", "M", "GOOD BYE")
    assert item.path == "test-clean/31/7/31-7-0001.flac"
    assert item.samples == 1601 == len(corpora.load(item, root))
    assert item.sha256 == hashlib.sha256((root / item.path).read_bytes()).hexdigest()
    assert utterances["11-7-0000"].sex == "F"
    other = utterances["32-7-0000"]
    assert (other.sex, other.text) == ("", "")


def test_no_table_of_speakers_is_no_error(root):
    (root / "SPEAKERS.TXT").unlink()
    assert {item.sex for item in prepare(root)} == {""}


@pytest.mark.parametrize("count", [1, 2])
def test_held_out_speakers_are_those_of_the_smallest_hashes(root, count):
    utterances = prepare(root, dev=[], held_out=count)
    dev = {item.speaker for item in utterances if item.split == "dev"}
    order = sorted(("11", "12", "13"), key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    assert dev == set(order[:count])
    assert {item.speaker for item in utterances if item.split == "train"} == set(order[count:])


@pytest.mark.parametrize("count", [0, 3])
def test_held_out_must_leave_some_on_both_sides(root, count):
    fails("corpus.librispeech.held_out: .* of 3 training speakers", root, dev=[], held_out=count)


def test_a_list_chooses_utterances(root, tmp_path):
    name = tmp_path / "ids.txt"
    name.write_text("# head\n31-7-0001  # why\n\n11-7-0000\n21-7-0000\n")
    found = [item.utterance for item in prepare(root, utterances=str(name))]
    assert sorted(found) == ["11-7-0000", "21-7-0000", "31-7-0001"]


@pytest.mark.parametrize(
    "text, match",
    [
        ("31-7-0001\n99-7-0000\n", "1 of its ids, such as 99-7-0000"),
        ("# nothing\n", "lists no utterance"),
        ("31-7-0001\n21-7-0000\n", "corpus.librispeech.train: no utterance is left"),
        (None, "ids.txt: cannot be read"),
    ],
)
def test_a_list_that_does_not_fit(root, tmp_path, text, match):
    name = tmp_path / "ids.txt"
    if text is not None:
        name.write_text(text)
    fails(match, root, utterances=str(name))


def test_a_missing_subset(root):
    fails("dev-other: no such folder; mend corpus.librispeech.root", root, dev=["dev-other"])


def test_an_empty_subset(root):
    (root / "dev-other").mkdir()
    fails("dev-other: no <speaker>", root, dev=["dev-other"])


@pytest.mark.parametrize(
    "values, match",
    [
        ({"train": []}, "corpus.librispeech.train: empty"),
        ({"test": []}, "corpus.librispeech.test: empty"),
        ({"test": ["train-clean-100"]}, "'train-clean-100' is named twice"),
        ({"train": ["../elsewhere"]}, "not the name of a subset"),
    ],
)
def test_subsets_that_make_no_splits(root, values, match):
    fails(match, root, **values)


def test_a_speaker_of_two_splits(root):
    write(root, "test-clean", "11", count=3)
    fails("speaker 11 is in train and test", root)


def test_an_utterance_that_is_there_twice(root):
    write(root, "train-other", "11")
    fails("utterance 11-7-0000 is there twice", root, train=["train-clean-100", "train-other"])


@pytest.mark.parametrize(
    "data, match",
    [
        (b"fLaC nonsense", "cannot be read as audio"),
        (io.encode_flac(np.zeros(800) + 0.1, 8000), "8000 Hz with 1 channels"),
        (io.encode_flac(np.zeros((2, 800)) + 0.1, 16000), "16000 Hz with 2 channels"),
    ],
)
def test_a_file_that_is_unfit(root, data, match):
    (root / "test-clean/31/7/31-7-0001.flac").write_bytes(data)
    fails(f"31-7-0001.flac: {match}", root)


def test_a_file_of_another_name(root):
    chapter = root / "test-clean/31/7"
    (chapter / "31-7-0001.flac").rename(chapter / "noise.flac")
    fails("noise.flac: not named", root)


def excerpt() -> Path:
    given = os.environ.get("SSML_LIBRISPEECH")
    folder = Path(given) if given else REPOSITORY.parent / "shared/data/LibriSpeech"
    wanted = ("train-clean-100", "test-other")
    if not all((folder / name).is_dir() for name in wanted):
        pytest.skip(f"no {' and '.join(wanted)} in {folder}; name a folder in SSML_LIBRISPEECH")
    return folder


def test_the_excerpt_s_list_fits_real_librispeech():
    utterances = prepare(
        excerpt(),
        dev=[],
        test=["test-other"],
        held_out=20,
        utterances=str(REPOSITORY / "presets/excerpt-utterances.txt"),
    )
    speakers = {
        split: {item.speaker for item in utterances if item.split == split} for split in COUNTS
    }
    assert {split: len(names) for split, names in speakers.items()} == {
        "train": 231,
        "dev": 20,
        "test": 6,
    }
    assert len(utterances) == 311
    assert {item.sex for item in utterances} == {"F", "M"}
    assert all(item.text for item in utterances if item.split == "test")
    assert len(corpora.load(utterances[0], excerpt())) == utterances[0].samples
