"""The manifest and the audio it names: what is written is read back, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssml.config.sections import CorpusParams
from ssml.data import corpora
from ssml.data.corpora import Utterance
from ssml.files import io
from ssml.files.errors import UserError

SHA = "0" * 64
ITEM = Utterance("test", "1", "F", "1-2-0003", "test/1/2/1-2-0003.flac", 100, SHA, 'SAY "A", B')
TEXT = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=20)
ITEMS = st.builds(
    Utterance,
    split=st.sampled_from(["train", "dev", "test"]),
    speaker=TEXT,
    sex=st.sampled_from(["F", "M", ""]),
    utterance=TEXT,
    path=TEXT,
    samples=st.integers(0, 10**7),
    sha256=st.just(SHA),
    text=TEXT,
)


@given(st.lists(ITEMS, min_size=1, max_size=5))
def test_what_is_written_is_read_back_sorted(tmp_path_factory, utterances):
    path = tmp_path_factory.mktemp("manifest") / "manifest.csv"
    corpora.write_manifest(path, utterances)
    assert corpora.read_manifest(path) == sorted(utterances, key=lambda u: (u.split, u.utterance))


@pytest.mark.parametrize(
    "old, new",
    [
        ("sha256", "sha1"),
        ("test,", "exam,"),
        (",F,", ",X,"),
        (",100,", ",-1,"),
        (",100,", ",,"),
        (SHA, "abc"),
        (f",{SHA}", ""),
        ("\n", "\n,,,,,,,,,,,\n"),
    ],
)
def test_an_ill_formed_manifest_is_named(tmp_path, old, new):
    path = tmp_path / "manifest.csv"
    corpora.write_manifest(path, [ITEM])
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UserError, match=r"manifest.csv: .*run (the corpus stage )?again"):
        corpora.read_manifest(path)


@pytest.mark.parametrize("data", [b"", b"split\n", b"\xff\xfe\x00\n"])
def test_a_file_that_is_no_manifest(tmp_path, data):
    path = tmp_path / "manifest.csv"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"manifest.csv"):
        corpora.read_manifest(path)


def test_a_missing_manifest(tmp_path):
    with pytest.raises(UserError, match=r"manifest.csv: cannot be read"):
        corpora.read_manifest(tmp_path / "manifest.csv")


def test_load_gives_the_samples_as_float32(tmp_path):
    audio = np.round(np.linspace(-0.5, 0.5, 100) * 2**15) / 2**15
    io.write_bytes(tmp_path / ITEM.path, io.encode_flac(audio, 16000))
    loaded = corpora.load(replace(ITEM, sha256=io.sha256(tmp_path / ITEM.path)), tmp_path)
    assert loaded.dtype == np.float32
    np.testing.assert_array_equal(loaded, audio.astype(np.float32))


@pytest.mark.parametrize(
    "data, match",
    [
        (None, "cannot be read"),
        (b"fLaC nonsense", "cannot be read as audio"),
        (io.encode_flac(np.zeros(100), 8000), "8000 Hz"),
        (io.encode_flac(np.zeros((2, 100)), 16000), "2 channels"),
        (io.encode_flac(np.zeros(99), 16000), "99 samples where the manifest says 100"),
    ],
)
def test_load_names_the_file_it_cannot_use(tmp_path, data, match):
    if data is not None:
        io.write_bytes(tmp_path / ITEM.path, data)
    with pytest.raises(UserError, match=f"1-2-0003.flac: .*{match}"):
        corpora.load(ITEM, tmp_path)


def test_audio_that_was_swapped_for_audio_of_equal_length_is_an_error(tmp_path):
    path, random = tmp_path / ITEM.path, np.random.default_rng(0)
    io.write_bytes(path, io.encode_flac(0.1 * random.standard_normal(100), 16000))
    item = replace(ITEM, sha256=io.sha256(path))
    assert len(corpora.load(item, tmp_path)) == 100
    io.write_bytes(path, io.encode_flac(0.1 * random.standard_normal(100), 16000))
    with pytest.raises(UserError, match=r"1-2-0003.flac: its SHA-256 is not .*; put the file back"):
        corpora.load(item, tmp_path)


def section(source: str, root: str | None = None, download: bool = False) -> CorpusParams:
    counts = {"train": 1, "dev": 1, "test": 1}
    lists = {"train": ["a"], "dev": ["b"], "test": ["c"], "held_out": 0, "utterances": None}
    return CorpusParams.model_validate(
        {
            "source": source,
            "synthetic": {"voices": counts, "utterances": counts},
            "librispeech": {**lists, "root": root, "download": download},
        }
    )


def test_root_is_the_given_folder_or_the_environment_s(tmp_path, monkeypatch):
    monkeypatch.delenv("SSML_LIBRISPEECH", raising=False)
    assert corpora.root(section("synthetic"), tmp_path) == tmp_path / "synthetic"
    assert corpora.root(section("librispeech", str(tmp_path)), tmp_path / "x") == tmp_path
    wanted = section("librispeech", download=True)
    assert corpora.root(wanted, tmp_path) == tmp_path / "LibriSpeech"
    elsewhere = section("librispeech", str(tmp_path / "new"), download=True)
    assert corpora.root(elsewhere, tmp_path) == tmp_path / "new"
    monkeypatch.setenv("SSML_LIBRISPEECH", str(tmp_path))
    assert corpora.root(section("librispeech"), tmp_path / "x") == tmp_path


@pytest.mark.parametrize("given_root", [None, "nowhere"])
def test_no_root_is_an_error_that_names_both_places(tmp_path, monkeypatch, given_root):
    monkeypatch.delenv("SSML_LIBRISPEECH", raising=False)
    name = given_root and str(tmp_path / given_root)
    with pytest.raises(UserError, match=r"corpus.librispeech.root.*SSML_LIBRISPEECH"):
        corpora.root(section("librispeech", name), tmp_path)


def test_every_corpus_is_a_source_of_the_params():
    for name in corpora.CORPORA:
        assert section(name).source == name


def test_utterances_do_not_change():
    with pytest.raises(AttributeError):
        ITEM.text = "x"
    assert replace(ITEM, text="x").text == "x"
