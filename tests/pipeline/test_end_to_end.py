"""The tiny pipeline from nothing to its report: what it makes is whole, tracked and settled."""

import numpy as np
import pytest

from ssml.config.layout import REFERENCE
from ssml.config.params import load
from ssml.data.corpora.grammar import jsgf
from ssml.evaluation.asr import ASR, wer, word_errors
from ssml.evaluation.outcomes import outcomes
from ssml.files.io import read_json, read_table
from ssml.tracking.views import TRAINING
from tests import browser
from tests.project import Project, copied, tracked_runs

STORED = ("scores", "transcripts")


@pytest.fixture(scope="module")
def project(finished, tmp_path_factory) -> Project:
    """A copy, for even to look may write: nothing here changes it."""
    return copied(finished, tmp_path_factory.mktemp("end") / "project")


def test_everything_is_made(project):
    rows = read_table(project.folder / "results/summary.csv")
    methods = {(row["set"], row["method"]) for row in rows}
    for name in ("test2", "test3"):
        for method in ("mixture", "laplace-iss", "learned-sdr-iss", "learned-coherence-iss"):
            assert (name, method) in methods
    page = (project.folder / "reports/index.html").read_text()
    assert "A tiny run" in page and "learned-sdr-iss" in page
    assert read_json(project.folder / "models/learned-sdr.json")["loss"] == "sdr"


def test_both_drivers_are_settled(project):
    project.assert_settled()


def test_every_training_and_evaluation_is_a_run(project):
    trained = tracked_runs(project, "tiny/train")
    assert set(trained) == {"train:learned-sdr", "train:learned-coherence"}
    logged = {name for run in trained.values() for name in run.data.metrics}
    assert logged == {name for part in TRAINING.sections for name in part.metrics}
    evaluated = tracked_runs(project, "tiny/evaluate")
    methods = ("mixture", "reference", "laplace-iss", "learned-sdr-iss", "learned-coherence-iss")
    assert set(evaluated) == {f"evaluate:{method}" for method in methods}
    ids = read_json(project.folder / "results/tracked.json")
    assert ids == {job.removeprefix("evaluate:"): run.info.run_id for job, run in evaluated.items()}
    found = evaluated["evaluate:learned-sdr-iss"]
    metrics = found.data.metrics
    assert metrics["seconds/separate/test2"] > 0
    for row in read_table(project.folder / "results/summary.csv"):
        if row["method"] == "learned-sdr-iss":
            assert metrics[f"{row['set']}/SI-SDR dB"] == pytest.approx(
                float(row["si_sdr"]), abs=1e-3
            )
    assert {one.dataset.name for one in found.inputs.dataset_inputs} == {"test2", "test3"}
    assert "mlflow.parentRunId" not in found.data.tags  # it would be hidden below another
    told = (project.folder / "reports/runs.js").read_text()
    assert ids["learned-sdr-iss"] in told and '"stage": "transcribe"' in told


def test_a_training_names_the_data_it_learned_from(project):
    card = read_json(project.folder / "models/learned-sdr.json")
    trained = tracked_runs(project, "tiny/train")["train:learned-sdr"]
    (used,) = trained.inputs.dataset_inputs
    assert used.dataset.digest == card["data"]


def test_the_summary_is_that_of_the_stored_audio(project, monkeypatch):
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


@pytest.mark.slow
def test_the_report_is_whole_in_a_browser(project):
    browser.check_report(project.folder / "reports/index.html")
    browser.check_players(project.folder / "reports/listen.html")
