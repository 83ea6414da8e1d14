"""What lies outside the project is known by its content, wherever it lies; a change is seen."""

import importlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from ssml.config import layout
from ssml.config.params import load
from ssml.data.measured import FOLDER
from ssml.data.shards import StoredMixture, encode_mixture, write_tar
from ssml.evaluation import asr
from ssml.files.io import read_table
from tests.conftest import ROOT
from tests.networks import wav2vec
from tests.project import Project, checkout
from tests.responses import write_response

FS = 16000
MIXED = "data/mixtures/real2/0000.tar"
HEARD = "results/transcripts/mixture/real2.csv"
SPEAKERS = {"train-clean-100": ("1", "2", "3", "4"), "test-other": ("5", "6", "7")}


def say(folder: Path, subset: str, speaker: str, number: int, seed: int) -> Path:
    """An utterance of 2.5 s: noise that comes and goes."""
    path = folder / subset / speaker / "1" / f"{speaker}-1-{number:04d}.flac"
    path.parent.mkdir(parents=True, exist_ok=True)
    random, n = np.random.default_rng(seed), int(2.5 * FS)
    envelope = np.sin(2 * np.pi * 3 * np.arange(n) / FS) ** 2
    soundfile.write(path, 0.1 * envelope * random.standard_normal(n), FS)
    words = path.parent / f"{speaker}-1.trans.txt"
    words.write_text("".join(f"{one.stem} A B\n" for one in sorted(path.parent.glob("*.flac"))))
    return path


@pytest.fixture
def outside(tmp_path) -> Path:
    """Speech, measured responses and a recogniser's weights in one folder."""
    folder = tmp_path / "outside"
    for subset, speakers in SPEAKERS.items():
        for speaker in speakers:
            say(folder / "speech", subset, speaker, 0, int(speaker))
    (folder / "room").mkdir()
    for source in (1, 2, 3):
        write_response(folder / "room", source)
    return folder


def prepare(project: Project) -> None:
    path = project.folder / "params.yaml"
    values = yaml.safe_load(path.read_text())
    values["corpus"]["source"] = "librispeech"
    scenes = values["scenes"]
    scenes["measured"] = {"office": {"root": None, "arrays": 2, "pitch": 0.03, "spacing": 0.09}}
    scenes["sets"]["real2"] = scenes["sets"]["test2"] | {"measured": "office", "mixtures": 2}
    values["separate"]["sets"] = ["real2"]
    values["transcribe"] = {
        "recogniser": "transformers",
        "options": {"model": "tiny"},
        "mixtures": 1,
        "methods": [],
    }
    path.write_text(yaml.safe_dump(values, sort_keys=False))


@pytest.mark.slow
def test_a_change_outside_the_project_reruns_what_depends_on_it(tmp_path, outside, monkeypatch):
    pytest.importorskip("transformers", reason="needs the extra [asr]")
    project = checkout(tmp_path / "project")
    prepare(project)
    wav2vec(project.folder / "tiny", seed=0)
    monkeypatch.setenv("SSML_LIBRISPEECH", str(outside / "speech"))
    monkeypatch.setenv(FOLDER, str(outside / "room"))

    def jobs() -> dict[str, int]:
        return project.jobs(HEARD)

    project.snakemake(HEARD)
    assert jobs() == {}
    for name, variable in (("speech", "SSML_LIBRISPEECH"), ("room", FOLDER)):  # elsewhere
        shutil.move(outside / name, tmp_path / name)
        monkeypatch.setenv(variable, str(tmp_path / name))
    assert jobs() == {}
    monkeypatch.delenv("SSML_LIBRISPEECH")  # or nowhere: what was made of them is there
    monkeypatch.delenv(FOLDER)
    shutil.move(project.folder / "tiny", tmp_path / "tiny")
    assert jobs() == {}
    monkeypatch.setenv("SSML_LIBRISPEECH", str(tmp_path / "speech"))
    monkeypatch.setenv(FOLDER, str(tmp_path / "room"))

    wav2vec(project.folder / "tiny", seed=1)
    assert jobs() == {"transcribe": 1}
    shutil.rmtree(project.folder / "tiny")
    shutil.move(tmp_path / "tiny", project.folder / "tiny")
    write_response(tmp_path / "room", 2, floor=0.01)
    assert jobs() == {"scenes": 1, "mix": 1, "transcribe": 1}
    write_response(tmp_path / "room", 2)
    assert jobs() == {}
    added = say(tmp_path / "speech", "test-other", "7", 1, 8)
    assert jobs()["corpus"] == 1
    added.unlink()
    say(tmp_path / "speech", "test-other", "7", 0, 9)  # as long as before
    for speaker in SPEAKERS["test-other"]:
        say(tmp_path / "speech", "test-other", speaker, 0, 10 + int(speaker))
    printed = project.snakemake("-R", "mix", "--until", "mix", "--", MIXED, fails=True)
    (line,) = [line for line in printed.splitlines() if "error: " in line and "SHA-256" in line]
    assert "-1-0000.flac: its SHA-256 is not that of the manifest" in line


def test_swapped_weights_are_asked_again(tmp_path, monkeypatch):
    """In spite of the words that are kept for a transcription that was interrupted."""
    pytest.importorskip("transformers", reason="needs the extra [asr]")
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "tests/params.yaml", "params.yaml")
    values = yaml.safe_load(Path("params.yaml").read_text())
    options = {"model": str(wav2vec(tmp_path / "tiny", seed=0))}
    values["transcribe"] |= {"recogniser": "transformers", "options": options, "mixtures": 1}
    values["scenes"]["sets"]["test2"]["mixtures"] = 1
    Path("params.yaml").write_text(yaml.safe_dump(values))
    random = np.random.default_rng(0)
    audio = (0.3 * random.standard_normal((2, FS))).clip(-1, 1)
    info = {"id": "m", "utterances": ["a", "b"], "transcripts": ["A B", "C"]}
    (path,) = layout.shards(load(), "test2")
    write_tar(path, [("m", encode_mixture(StoredMixture(audio, audio, audio, info), FS))])
    monkeypatch.setattr("sys.argv", ["transcribe", "mixture", "test2"])
    heard, table = [], layout.transcripts("mixture", "test2")
    for seed in (0, 0, 1):
        wav2vec(tmp_path / "tiny", seed=seed)
        importlib.import_module("pipeline.transcribe").main()
        rows = read_table(table)
        assert {row["weights"] for row in rows} == {asr.weights(options)}
        heard.append([(row["hypothesis"], row["weights"]) for row in rows])
    assert heard[0] == heard[1] and heard[0][0][0] != heard[2][0][0] and heard[0] != heard[2]
    shutil.rmtree(tmp_path / "tiny")
    assert asr.weights(options) == "" and asr.weights(options, table) == heard[2][0][1]
