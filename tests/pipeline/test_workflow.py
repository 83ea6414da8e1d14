"""Snakemake, DVC and MLflow on the whole tiny pipeline: they agree, and rerun what they must."""

import re
import sys

import numpy as np
import pytest
import yaml

from ssml.config.layout import REFERENCE
from ssml.config.params import load
from ssml.data.corpora.grammar import jsgf
from ssml.evaluation.asr import ASR, wer, word_errors
from ssml.evaluation.outcomes import outcomes
from ssml.files.io import read_json, read_table, sha256
from tests import browser
from tests.killing import finish
from tests.project import IDS, Project, checkout

STORED = ("scores", "transcripts")
REDRAW = "{level: [-5, 5], snr: [20, 30], speed: [0.9, 1.1], tone: 3}"


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    made = checkout(tmp_path_factory.mktemp("workflow") / "project")
    made.run("dvc", "repro")
    return made


def runs(project: Project, experiment: str) -> dict[str, dict[str, str]]:
    """The live MLflow runs of an experiment: job -> tags."""
    code = (
        "import json, mlflow\n"
        "mlflow.set_tracking_uri('sqlite:///mlflow.db')\n"
        f"found = mlflow.search_runs(experiment_names=[{experiment!r}], output_format='list',\n"
        "    filter_string='tags.superseded IS NULL')\n"
        "print(json.dumps([[r.data.tags, r.data.metrics, r.info.status] for r in found]))\n"
    )
    out = project.run(sys.executable, "-W", "ignore", "-c", code)
    found = yaml.safe_load(out.strip().splitlines()[-1])
    jobs = [tags["job"] for tags, _, _ in found]
    assert len(set(jobs)) == len(jobs)
    assert {status for _, _, status in found} == {"FINISHED"}
    return {tags["job"]: {**tags, **metrics} for tags, metrics, _ in found}


@pytest.mark.slow
class TestWholePipeline:
    """In this order: each test leaves the project settled for the next."""

    def test_everything_is_made(self, project):
        rows = read_table(project.folder / "results/summary.csv")
        methods = {(row["set"], row["method"]) for row in rows}
        for name in ("test2", "test3"):
            for method in ("mixture", "laplace-iss", "learned-sdr-iss", "learned-coherence-iss"):
                assert (name, method) in methods
        page = (project.folder / "reports/index.html").read_text()
        assert "A tiny run" in page and "learned-sdr-iss" in page
        assert read_json(project.folder / "models/learned-sdr.json")["loss"] == "sdr"

    def test_both_drivers_are_settled(self, project):
        project.assert_settled()

    @pytest.mark.parametrize("end", ["", "nfiles: 1", "outs:\n    - path", "iter"])
    def test_a_lock_of_dvc_that_was_cut_is_written_anew(self, project, end):
        """DVC was killed in the middle of it: most such parts it refuses, one here it does not."""
        lock, before = project.folder / "dvc.lock", project.digests()
        whole = lock.read_text()
        lock.write_text(whole[: whole.index(end) + len(end)])
        finish(project, "dvc")
        assert project.changed(before) == set()
        project.assert_settled()

    def test_every_training_and_evaluation_is_a_run(self, project):
        trained = runs(project, "tiny/train")
        assert set(trained) == {"train:learned-sdr", "train:learned-coherence"}
        assert "validation SI-SDR dB" in trained["train:learned-sdr"]
        evaluated = runs(project, "tiny/evaluate")
        assert {"evaluate:laplace-iss:test2", "evaluate:mixture:test3"} <= set(evaluated)
        assert "SI-SDR dB" in evaluated["evaluate:learned-sdr-iss:test2"]
        assert evaluated["evaluate:learned-sdr-iss:test2"]["seconds/separate"] > 0
        ids = read_json(project.folder / "results/tracked.json")
        child = evaluated["evaluate:learned-sdr-iss:test2"]
        assert child["mlflow.parentRunId"] == ids["test2"]
        told = (project.folder / "reports/runs.js").read_text()
        assert ids["learned-sdr-iss on test2"] in told and '"stage": "transcribe"' in told

    def test_a_training_names_the_data_it_learned_from(self, project):
        card = read_json(project.folder / "models/learned-sdr.json")
        code = (
            "import mlflow\n"
            "mlflow.set_tracking_uri('sqlite:///mlflow.db')\n"
            "runs = mlflow.search_runs(experiment_names=['tiny/train'], output_format='list',\n"
            "    filter_string=\"tags.job = 'train:learned-sdr' and tags.superseded IS NULL\")\n"
            "print(*[d.dataset.digest for run in runs for d in run.inputs.dataset_inputs])\n"
        )
        out = project.run(sys.executable, "-W", "ignore", "-c", code)
        assert out.strip().splitlines()[-1] == card["data"]

    def test_the_summary_is_that_of_the_stored_audio(self, project, monkeypatch):
        """SI-SDR by its definition, words heard and counted again, for a method on a set."""
        monkeypatch.chdir(project.folder)
        method, name = "learned-sdr-iss", "test3"
        params = load("params.yaml")
        scores, transcripts = (read_table(f"results/{x}/{method}/{name}.csv") for x in STORED)
        (row,) = [
            row
            for row in read_table("results/summary.csv")
            if (row["method"], row["set"]) == (method, name)
        ]
        found = []
        for outcome in outcomes(params, method, name):
            est, ref = outcome.est.astype(float), outcome.ref.astype(float)
            target = (est * ref).sum(-1, keepdims=True) / (ref**2).sum(-1, keepdims=True) * ref
            found.append(10 * np.log10((target**2).sum(-1) / ((est - target) ** 2).sum(-1)))
        assert [float(row["si_sdr"]) for row in scores] == pytest.approx(np.concatenate(found))
        assert float(row["si_sdr"]) == pytest.approx(np.mean(found))
        errors = [word_errors(row["hypothesis"], row["reference"]) for row in transcripts]
        assert float(row["wer"]) == pytest.approx(wer(errors))
        recogniser = ASR["pocketsphinx"](grammar=jsgf())
        for source in (method, REFERENCE):
            first = next(outcomes(params, source, name, limit=params.transcribe.mixtures))
            rows = read_table(f"results/transcripts/{source}/{name}.csv")
            heard = [row["hypothesis"] for row in rows if row["id"] == first.info["id"]]
            assert heard == recogniser.many(list(first.est), params.fs)
        assert any(heard)  # the clean speech holds words

    def test_the_report_is_whole_in_a_browser(self, project):
        browser.check_report(project.folder / "reports/index.html")
        browser.check_players(project.folder / "reports/listen.html")

    def test_one_training_parameter_reruns_that_training_and_what_follows(self, project):
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
        assert len(runs(project, "tiny/train")) == 2

    def test_a_comment_reruns_nothing(self, project):
        project.edit("ssml/iva/auxiva.py", '"""AuxIVA:', '# a remark\n"""AuxIVA:')
        assert "Nothing to be done" in project.snakemake("-n")
        project.run("dvc", "repro")
        project.assert_settled()

    def test_one_stage_alone(self, project):
        before = project.digests()
        output = project.snakemake("-R", "score", "--until", "score")
        assert re.search(r"score\s+8\n", output) and "rule train" not in output
        assert project.changed(before) == set()
        project.snakemake("-q", "all")
        project.run("dvc", "repro")
        project.assert_settled()

    def test_a_logic_edit_reruns_what_runs_it_and_what_follows(self, project):
        """The scores' code is changed in words, not in what it does: nothing before it runs."""
        before = project.digests()
        project.edit("ssml/evaluation/metrics.py", "\n\n\n", "\n\n_UNUSED = 0\n\n\n")
        jobs = project.jobs()
        assert jobs["score"] == 8
        assert not {"corpus", "scenes", "mix", "train", "separate", "transcribe"} & jobs.keys()
        assert "Stage 'train' didn't change" not in project.run("dvc", "repro")
        project.assert_settled()
        assert project.changed(before) <= {*IDS, "reports/index.html"}

    def test_a_method_added_and_removed_runs_alone(self, project):
        path = project.folder / "params.yaml"
        old, before = path.read_text(), project.digests()
        values = yaml.safe_load(old)
        added = {"model": "gauss", "rule": "ip", "iterations": 2}
        values["separate"]["methods"]["gauss-ip"] = added
        path.write_text(yaml.safe_dump(values, sort_keys=False))
        jobs = project.jobs()
        assert jobs["separate"] == 2 and jobs["score"] == 2
        assert not {"corpus", "scenes", "mix", "train", "transcribe"} & jobs.keys()
        project.run("dvc", "repro", "-q")
        project.assert_settled()
        path.write_text(old)
        assert project.jobs().keys() <= {"report", "listen", "track", "all"}
        project.run("dvc", "repro", "-q")
        project.assert_settled()
        same = {k: v for k, v in project.digests().items() if k in before}
        assert {k for k in same if same[k] != before[k]} <= {*IDS}

    def test_an_older_commit_and_its_data_are_settled(self, project):
        """And back: `git checkout` with `dvc checkout` brings results that need no job."""
        project.commit("now")
        now = project.digests()
        project.edit("params.yaml", "sdr_taps: 32", "sdr_taps: 16")
        assert project.jobs()["score"] == 8
        project.run("dvc", "repro", "-q")
        project.commit("fewer taps")
        project.run("git", "checkout", "-q", "HEAD~1")
        project.run("dvc", "checkout", "-q")
        assert project.digests() == now
        project.assert_settled()
        project.run("git", "checkout", "-q", "-")
        project.run("dvc", "checkout", "-q")
        project.assert_settled()

    def test_a_fresh_clone_with_the_data_has_nothing_to_do(self, project, tmp_path):
        project.run("dvc", "remote", "add", "-f", "-d", "here", str(tmp_path / "remote"))
        project.run("dvc", "push", "-q")
        project.commit("results")
        project.run("git", "clone", "-q", str(project.folder), str(tmp_path / "clone"))
        clone = Project(tmp_path / "clone")
        clone.run("dvc", "pull", "-q")
        clone.assert_settled()

    def test_a_training_follows_the_one_it_starts_from(self, project):
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

    def test_training_on_rooms_alone(self, project):
        """The last one here: with `redraw` rooms are stored, of which training draws mixtures."""
        before = read_json(project.folder / "models/learned-sdr.json")
        project.edit("params.yaml", "redraw: null", f"redraw: {REDRAW}")
        output = project.snakemake("models/learned-sdr.safetensors")
        assert "rule respond" in output and "rule mix" not in output
        after = read_json(project.folder / "models/learned-sdr.json")
        assert after["rooms"] == before["mixtures"] and after["drawn"]
        assert "Nothing to be done" in project.snakemake("models/learned-sdr.safetensors", "-n")
