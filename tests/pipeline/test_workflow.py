"""What is edited reruns what depends on it, by both drivers, and nothing else."""

import re

import pytest
import yaml

from ssml.files.io import read_json, sha256
from tests.project import IDS, Project, copied, tracked_runs

pytestmark = pytest.mark.slow
REDRAW = "{level: [-5, 5], snr: [20, 30], speed: [0.9, 1.1], tone: 3}"


@pytest.fixture
def project(finished, tmp_path) -> Project:
    return copied(finished, tmp_path / "project")


def test_one_training_parameter_reruns_that_training_and_what_follows(project):
    before = project.digests()
    path = project.folder / "params.yaml"
    values = yaml.safe_load(path.read_text())
    values["train"]["variants"]["learned-sdr"]["lr"] = 0.002
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    output = project.run("dvc", "repro")
    assert "Stage 'mixtures' didn't change" in output
    changed = project.changed(before)
    assert "models/learned-sdr.safetensors" in changed
    assert "results/separated/learned-sdr-iss/test2.tar" in changed
    others = re.compile("data/|models/learned-coh|.*(laplace|coherence-iss|mixture|reference)/")
    assert not [name for name in changed if others.match(name)]
    assert read_json(project.folder / "models/learned-sdr.json")["lr"] == 0.002
    project.assert_settled()
    assert len(tracked_runs(project, "tiny/train")) == 2


def test_another_number_of_threads_trains_again_with_both_drivers(project):
    """It rounds otherwise. Any other digest of the training stays."""
    project.edit("params.yaml", "  threads: 1", "  threads: 2")
    jobs = project.jobs()
    assert jobs["train"] == 2 and not {"corpus", "scenes", "mix", "respond"} & jobs.keys()
    said = project.run("dvc", "status", "train", "mixtures")
    assert said.startswith("train:") and "mixtures:" not in said


def test_a_comment_reruns_nothing(project):
    project.edit("ssml/iva/auxiva.py", '"""AuxIVA:', '# a remark\n"""AuxIVA:')
    assert "Nothing to be done" in project.snakemake("-n")
    project.run("dvc", "repro")
    project.assert_settled()


def test_one_stage_alone(project):
    before = project.digests()
    output = project.snakemake("-R", "score", "--until", "score")
    assert re.search(r"score\s+8\n", output) and "rule train" not in output
    assert project.changed(before) == set()
    project.snakemake("-q", "all")
    project.run("dvc", "repro")
    project.assert_settled()


def test_a_logic_edit_reruns_what_runs_it_and_what_follows(project):
    """The scores' code is changed in words, not in what it does: nothing before it runs."""
    before = project.digests()
    project.edit("ssml/evaluation/metrics.py", "\n\n\n", "\n\n_UNUSED = 0\n\n\n")
    jobs = project.jobs()
    assert jobs["score"] == 8
    assert not {"corpus", "scenes", "mix", "train", "separate", "transcribe"} & jobs.keys()
    assert "Stage 'train' didn't change" not in project.run("dvc", "repro")
    project.assert_settled()
    assert project.changed(before) <= {*IDS, "reports/index.html"}


def test_a_method_added_and_removed_runs_alone(project):
    path = project.folder / "params.yaml"
    old, before = path.read_text(), project.digests()
    values = yaml.safe_load(old)
    added = {"model": "gauss", "rule": "ip", "iterations": 2}
    values["separate"]["methods"]["gauss-ip"] = added
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    jobs = project.jobs()
    assert jobs["separate"] == 2 and jobs["score"] == 2
    added["sets"] = ["test2"]
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    jobs = project.jobs()
    assert jobs["separate"] == 1 and jobs["score"] == 1
    assert not {"corpus", "scenes", "mix", "train", "transcribe"} & jobs.keys()
    project.run("dvc", "repro", "-q")
    project.assert_settled()
    path.write_text(old)
    assert project.jobs().keys() <= {"report", "listen", "track", "all"}
    project.run("dvc", "repro", "-q")
    project.assert_settled()
    same = {k: v for k, v in project.digests().items() if k in before}
    assert {k for k in same if same[k] != before[k]} <= {*IDS}


def test_a_training_follows_the_one_it_starts_from(project):
    path = project.folder / "params.yaml"
    values = yaml.safe_load(path.read_text())
    variants = values["train"]["variants"]
    variants["learned-coherence"]["start"] = "learned-sdr"
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    before = read_json(project.folder / "models/learned-sdr.json")
    project.snakemake("models")
    first = sha256(project.folder / "models/learned-sdr.safetensors")
    assert read_json(project.folder / "models/learned-sdr.json") == before
    card = read_json(project.folder / "models/learned-coherence.json")
    assert card["start"] == "learned-sdr" and card["started"] == first[:16]
    variants["learned-sdr"]["lr"] = 0.003
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    planned = project.snakemake("models", "-n")
    assert all(f"models/{name}.safetensors" in planned for name in variants)


def test_training_on_rooms_alone(project):
    """With `redraw` rooms are stored, of which training draws mixtures."""
    before = read_json(project.folder / "models/learned-sdr.json")
    project.edit("params.yaml", "redraw: null", f"redraw: {REDRAW}")
    output = project.snakemake("models/learned-sdr.safetensors")
    assert "rule respond" in output and "rule mix" not in output
    after = read_json(project.folder / "models/learned-sdr.json")
    assert after["rooms"] == before["mixtures"] and after["drawn"]
    assert "Nothing to be done" in project.snakemake("models/learned-sdr.safetensors", "-n")
