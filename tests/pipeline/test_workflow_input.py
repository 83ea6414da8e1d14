"""What the workflow is given: odd parameters and places work, mistakes are one clear line."""

import importlib
import re
import shutil
import sys

import numpy as np
import pytest
import soundfile
import yaml

from ssml.config.layout import SPLITS
from ssml.files import errors
from tests.conftest import ROOT
from tests.project import Project, checkout


@pytest.mark.slow
def test_nothing_trained_nothing_heard_and_noise_that_was_recorded(tmp_path):
    """Both drivers take it; other recordings make other mixtures, other STFTs not all methods."""
    project = checkout(tmp_path / "project")
    (project.folder / "noise").mkdir()
    random = np.random.default_rng(0)
    recordings = [project.folder / f"noise/{i}-{split}.wav" for i, split in enumerate(SPLITS)]
    for recording in recordings:
        soundfile.write(recording, 0.1 * random.standard_normal((40000, 3)), 16000)
    path = project.folder / "params.yaml"
    values = yaml.safe_load(path.read_text())
    long = {"n_fft": 1024, "hop": 256}
    methods = {"a": {"model": "laplace", "rule": "iss", "iterations": 2}}
    methods["b"] = methods["a"] | {"stft": long}
    values["mix"]["noise"], values["train"]["variants"] = "noise", {}
    values["separate"] |= {"sets": ["test2"], "methods": methods}
    values["transcribe"] |= {"mixtures": 0, "methods": "all"}
    values["report"] |= {"classical": "a", "learned_sdr": "b", "learned_coherence": "b"}
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    project.run("dvc", "repro")
    project.assert_settled()
    assert not list((project.folder / "models").iterdir())
    values["separate"]["stft"] = long
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    assert project.jobs()["separate"] == 1
    mixed = []
    for recording in recordings:
        data = recording.read_bytes()
        soundfile.write(recording, 0.1 * random.standard_normal((40000, 3)), 16000)
        mixed.append(project.jobs().get("mix", 0))
        recording.write_bytes(data)
    assert mixed == [0, 0, 2]  # train, dev, test: of which only the last is asked for
    recordings[0].unlink()
    assert "'noise' holds 2 recordings where 3 are needed" in project.snakemake("-n", fails=True)
    shutil.rmtree(project.folder / "noise")
    assert "mix.noise: 'noise' is neither diffuse, white" in project.snakemake("-n", fails=True)


@pytest.mark.slow
def test_a_folder_may_have_a_blank_in_its_name(tmp_path):
    project = checkout(tmp_path / "a project")
    (tmp_path / "an environment").symlink_to(sys.prefix)
    python = tmp_path / "an environment/bin/python"
    project.run(str(python), "-m", "snakemake", "--cores", "1", "data/corpus/manifest.csv")
    assert (project.folder / "data/corpus/manifest.csv").is_file()


@pytest.mark.parametrize(
    "arguments, edit, words",
    [
        (["--config", "seed=2"], None, "edit params.yaml instead"),
        ([], ("  shard: 2", "  shards: 2"), "mix.shards: unknown key"),
        ([], ("model: laplace", "model: laplas"), "no 'laplas' among"),
    ],
)
def test_a_mistake_is_one_clear_line_before_any_job(tmp_path, arguments, edit, words):
    shutil.copy(ROOT / "tests/params.yaml", tmp_path / "params.yaml")
    project = Project(tmp_path)
    if edit:
        project.edit("params.yaml", *edit)
    snakefile = ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(tmp_path)]
    output = project.snakemake(*snakefile, *arguments, fails=True)
    (line,) = [line for line in output.splitlines() if words in line]
    assert len(line) < 300
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "stage, words",
    [
        (["scenes", "test2", "0000"], "data/corpus/manifest.csv: cannot be read"),
        (["mix", "test2", "0000"], "manifest.csv: cannot be read|corpus"),
        (["respond", "test2", "0000"], "data/scenes/test2/0000.jsonl: cannot be read"),
        (["train", "learned-sdr"], "data/mixtures/train/0000.tar: cannot be read"),
        (["separate", "learned-sdr-iss", "test2"], "models/learned-sdr.safetensors: no such model"),
        (["separate", "nothing", "test2"], "no 'nothing' among"),
        (["score", "laplace-iss", "test2"], "data/mixtures/test2/0000.tar: cannot be read"),
        (["transcribe", "mixture", "test2"], "data/mixtures/test2/0000.tar: cannot be read"),
        (["report"], "results/scores/mixture/test2.csv: cannot be read"),
        (["listen"], "results/scores/mixture/test2.csv: cannot be read"),
        (["track"], "results/scores/mixture/test2.csv: cannot be read"),
    ],
)
def test_a_stage_without_its_input_says_so_in_one_line(tmp_path, monkeypatch, capsys, stage, words):
    shutil.copy(ROOT / "tests/params.yaml", tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", stage)
    with pytest.raises(SystemExit) as caught:
        errors.run(importlib.import_module(f"pipeline.{stage[0]}").main)
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: ") and re.search(words, line)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["params.yaml"]
