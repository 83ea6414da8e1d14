"""The embedded corpus, tiny: disjoint, repeatable to the byte, mended where damaged."""

import importlib
import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
import venv
from pathlib import Path

import numpy as np
import pytest

from ssml.config.sections import CorpusParams
from ssml.data import corpora
from ssml.data.corpora import speech, synthetic, voices
from ssml.files import io
from ssml.files.errors import UserError

SEED = 1


def section(**librispeech) -> CorpusParams:
    unused = {
        "root": None,
        "train": [],
        "dev": [],
        "test": [],
        "held_out": 0,
        "utterances": None,
        "download": False,
    }
    return CorpusParams.model_validate(
        {
            "source": "synthetic",
            "synthetic": {
                "voices": {"train": 3, "dev": 2, "test": 2},
                "utterances": {"train": 2, "dev": 1, "test": 2},
            },
            "librispeech": {**unused, **librispeech},
        }
    )


@pytest.fixture(scope="module", autouse=True)
def few_variants():
    """Measure a handful of voices, not some 200."""
    variants = ("f1", "m1", "steph", "klatt", "Storm", "whisper", "klatt4", "f2", "edward")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "INTELLIGIBLE", ("klatt4", "f2", "edward"))
        start = speech.Speaker.__init__

        def short(self, *args):
            start(self, *args)
            self.variants = list(variants)

        patch.setattr(speech.Speaker, "__init__", short)
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("synthetic")
    return root, synthetic.prepare(section(), SEED, root)


def contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def test_counts_are_those_of_the_params(made):
    _, utterances = made
    for split, (speakers, each) in {"train": (3, 2), "dev": (2, 1), "test": (2, 2)}.items():
        chosen = [item for item in utterances if item.split == split]
        assert len({item.speaker for item in chosen}) == speakers
        assert len(chosen) == speakers * each


def test_splits_share_no_speaker_variant_or_sentence(made):
    root, utterances = made
    files = io.read_json(root / "manifest.json")["files"]
    seen = {
        split: {
            value
            for item in utterances
            if item.split == split
            for value in (item.speaker, item.text, files[item.path]["variant"])
        }
        for split in ("train", "dev", "test")
    }
    assert not seen["train"] & seen["dev"]
    assert not seen["train"] & seen["test"]
    assert not seen["dev"] & seen["test"]
    assert len({item.text for item in utterances}) == len(utterances)


def test_no_whisper_is_chosen(made):
    root, _ = made
    files = io.read_json(root / "manifest.json")["files"]
    assert "whisper" not in {record["variant"] for record in files.values()}


def test_audio_is_16_bit_mono_at_one_level_without_clipping(made):
    import soundfile

    root, utterances = made
    for item in utterances:
        header = soundfile.info(str(root / item.path))
        assert (header.samplerate, header.channels) == (16000, 1)
        assert (header.format, header.subtype) == ("FLAC", "PCM_16")
        audio = corpora.load(item, root)
        assert audio.dtype == np.float32 and audio.shape == (item.samples,)
        assert 2.5 <= item.samples / 16000 <= 6.2
        assert np.abs(audio).max() < 1
        np.testing.assert_allclose(speech.level(audio), audio, rtol=0.02, atol=1e-4)


def test_records_say_how_each_file_was_made(made):
    root, utterances = made
    record = io.read_json(root / "manifest.json")
    assert record["engine"].startswith("espeak-ng 1.")
    assert set(record["files"]) == {item.path for item in utterances}
    for item in utterances:
        file = record["files"][item.path]
        assert file["sha256"] == item.sha256 == io.sha256(root / item.path)
        assert file["text"].upper() == item.text
        assert {"engine", "language", "variant", "pitch", "rate"} <= file.keys()


def test_layout_is_librispeechs(made):
    root, utterances = made
    params = section(train=["train"], dev=["dev"], test=["test"])
    assert corpora.CORPORA["librispeech"](params, SEED, root) == sorted(
        utterances, key=lambda item: (["train", "dev", "test"].index(item.split), item.path)
    )


def test_regeneration_is_byte_identical(made, tmp_path):
    root, utterances = made
    assert synthetic.prepare(section(), SEED, tmp_path) == utterances
    assert contents(tmp_path) == contents(root)


def test_another_seed_speaks_other_sentences_with_the_same_voices(made):
    _, utterances = made
    with speech.engine() as speaker:
        talkers = synthetic.choose_talkers(section().synthetic, speaker)
    texts = {
        line.text.upper() for line in synthetic.draw_sentences(talkers, section().synthetic, SEED)
    }
    others = {
        line.text.upper()
        for line in synthetic.draw_sentences(talkers, section().synthetic, SEED + 1)
    }
    assert texts == {item.text for item in utterances}
    assert not texts & others


def test_only_what_is_damaged_or_missing_is_made_again(made, monkeypatch):
    root, utterances = made
    before = contents(root)
    damaged, missing = utterances[0].path, utterances[-1].path
    (root / damaged).write_bytes((root / damaged).read_bytes()[:1000])
    (root / missing).unlink()
    whole = {u.path: (root / u.path).stat().st_mtime_ns for u in utterances[1:-1]}
    assert synthetic.prepare(section(), SEED, root) == utterances
    assert contents(root) == before
    assert whole == {path: (root / path).stat().st_mtime_ns for path in whole}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": {"x": 1}}'])
def test_a_damaged_record_is_made_again(made, text):
    root, utterances = made
    before = contents(root)
    (root / "manifest.json").write_text(text)
    assert synthetic.prepare(section(), SEED, root) == utterances
    assert contents(root) == before


def test_files_of_other_params_are_removed(made, tmp_path):
    import shutil

    root, utterances = made
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    less = section()
    counts = {"train": 1, "dev": 1, "test": 1}
    less = less.model_copy(
        update={"synthetic": less.synthetic.model_copy(update={"utterances": counts})}
    )
    fewer = synthetic.prepare(less, SEED, copy)
    assert {item.path for item in fewer} == {
        path.relative_to(copy).as_posix() for path in copy.rglob("*.flac")
    }
    assert {(item.path, item.sha256) for item in fewer} < {(u.path, u.sha256) for u in utterances}


@pytest.mark.parametrize("key", ["voices", "utterances"])
def test_a_split_without_a_number_is_an_error(key, tmp_path):
    given = section()
    values = {**given.synthetic.model_dump(), key: {"train": 1, "dev": 1}}
    given = given.model_copy(update={"synthetic": type(given.synthetic).model_validate(values)})
    with pytest.raises(UserError, match=f"corpus.synthetic.{key}: no 'test'"):
        synthetic.prepare(given, SEED, tmp_path)


@pytest.mark.parametrize("language, variant", [("en-us", "nobody"), ("xx", "f1")])
def test_an_unknown_voice_is_an_error(language, variant):
    voice = voices.Voice(language, variant, 50, 150)
    with speech.engine() as speaker, pytest.raises(UserError, match=f"no voice {language}\\+"):
        speaker.say(voice, "hello")


@pytest.mark.parametrize("length", [100, 300, 1000])
def test_an_environment_in_a_folder_of_any_length_speaks_the_same(monkeypatch, tmp_path, length):
    """espeak-ng keeps 159 characters of its data's path."""
    loader = Path(importlib.import_module("espeakng_loader").__file__).parent
    folder = tmp_path
    while (missing := length - len(str(folder)) - 1) > 0:
        folder /= "x" * min(missing, 200)
    venv.create(folder, symlinks=True)
    packages = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    Path(packages, "espeakng_loader").symlink_to(loader, target_is_directory=True)
    voice = voices.Voice("en-us", "f1", 50, 150)

    def said():
        with speech.engine() as speaker:
            return speaker.say(voice, "hello")

    expected = said()
    monkeypatch.setattr(speech.sys, "executable", str(folder / "bin/python"))
    np.testing.assert_array_equal(said(), expected)


def test_an_engine_that_dies_is_an_error(monkeypatch, tmp_path):
    script = tmp_path / "dies.py"
    script.write_text("")
    monkeypatch.setattr(speech.espeak, "__file__", str(script))
    with pytest.raises(UserError, match="ended before it answered"), speech.engine():
        pass


def test_an_engine_that_is_killed_is_one_error(monkeypatch):
    """Closing what nobody reads any more is no second one."""
    started = []

    class Popen(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(speech.subprocess, "Popen", Popen)
    with pytest.raises(UserError, match="espeak-ng ended"), speech.engine() as speaker:
        started[0].kill()
        started[0].wait()
        speaker.say(voices.Voice("en-us", "f1", 50, 150), "never said")


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for children in /proc")
def test_a_sentence_that_is_killed_ends_the_engine():
    """An answer that never comes would be waited for without end."""
    with subprocess.Popen(
        [sys.executable, "-I", speech.espeak.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as engine:
        request = voices.Voice("en-us", "f1", 50, 150).request("never said to the end " * 2000)
        engine.stdin.write(json.dumps(request).encode() + b"\n")
        engine.stdin.flush()
        children = Path(f"/proc/{engine.pid}/task/{engine.pid}/children")
        while not (child := children.read_text()):
            time.sleep(0.01)
        os.kill(int(child), signal.SIGKILL)
        assert engine.wait(60) == 1


def test_importing_corpora_is_light():
    heavy = "('torch', 'soundfile', 'scipy', 'espeakng_loader', 'pocketsphinx')"
    code = (
        f"import sys, ssml.data.corpora; print([name for name in {heavy} if name in sys.modules])"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_what_was_said_before_leaves_no_trace():
    voice = voices.Voice("en-us", "klatt4", 50, 150)
    with speech.engine() as speaker:
        first = speaker.say(voice, "two yellow boxes")
        speaker.say(voices.Voice("en", "f1", 70, 165), "seven heavy mirrors")
        again = speaker.say(voice, "two yellow boxes")
    np.testing.assert_array_equal(first, again)
