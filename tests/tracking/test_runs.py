"""Runs are never doubled: one that is made again supersedes, one that was killed goes on."""

import json
import math
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ssml import tracking
from ssml.files import provenance
from ssml.tracking import store, unsent
from tests.tracking.conftest import JOB, PARAMS


def kill(start, **options):
    """A run that is never ended, whatever becomes of its block."""
    context = start(**options)
    run = context.__enter__()
    run.end = lambda status: None
    return run


def test_import_is_light():
    code = "import sys, ssml.tracking; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=provenance.ROOT).returncode == 0


def test_a_run_holds_what_was_logged(start, live, folder):
    (folder / "table.csv").write_text("a\n1\n")
    with start(tags={"machine": "m"}, description="about") as run:
        run.log({"loss": 3, "si-sdr (dB)": math.inf}, step=0)
        run.log({"loss": math.nan, "si-sdr (dB)": 1.5}, step=1)
        run.log({"best": 2.5})
        run.artifact("table.csv", "tables")
    (found,) = live()
    client = store.open_store().client
    assert found.info.run_id == run.id and found.info.status == "FINISHED"
    assert found.data.params["network.name"] == "glu"
    assert json.loads(found.data.params["network.sizes"]) == [1, 2]
    assert len(found.data.params["note"]) == tracking.LONGEST
    assert found.data.metrics["best"] == 2.5 and found.data.metrics["si-sdr _dB_"] == 1.5
    losses = client.get_metric_history(run.id, "loss")
    assert losses[0].value == 3 and math.isnan(losses[1].value)
    assert [file.path for file in client.list_artifacts(run.id, "tables")] == ["tables/table.csv"]
    assert found.data.tags.items() >= {"job": JOB, "code": "c", "machine": "m"}.items()
    assert found.data.tags["git"] == tracking.git()
    assert found.data.tags["mlflow.note.content"] == "about"


def test_a_rerun_supersedes_and_other_jobs_stay(start, live):
    with start() as first:
        first.log({"loss": 1}, step=0)
    with start(job="train:learned-coherence") as other:
        pass
    with start() as second:
        pass
    assert {run.info.run_id for run in live()} == {second.id, other.id}
    assert len(live("")) == 3


def test_a_failing_run_supersedes_nothing(start, live, request):
    with start() as good:
        pass
    with pytest.raises(ZeroDivisionError), start() as bad:
        1 / 0  # noqa: B018
    states = {run.info.run_id: run.info.status for run in live()}
    assert states == {good.id: "FINISHED", bad.id: "FAILED"}
    assert tracking.find(request.node.name, JOB, PARAMS, "c") == good.id


def test_a_killed_run_is_resumed_without_doubles(start, live):
    killed = kill(start)
    for step in range(4):
        killed.log({"loss": step}, step)
    with start(resume=killed.id) as run:
        for step in range(2, 6):  # from the checkpoint of step 2
            run.log({"loss": step}, step)
    (found,) = live("")
    assert run.id == killed.id == found.info.run_id and found.info.status == "FINISHED"
    history = store.open_store().client.get_metric_history(run.id, "loss")
    assert sorted(metric.step for metric in history) == list(range(6))


def test_a_finished_run_is_resumed_too(start, live):
    """Its driver was killed, and has the training made again, which finds nothing left to do."""
    with start() as done:
        done.log({"loss": 1}, 1)
    with start(resume=done.id) as run:
        pass
    (found,) = live("")
    assert run.id == done.id == found.info.run_id and found.info.status == "FINISHED"
    assert found.data.metrics == {"loss": 1}


@pytest.mark.parametrize("change", [{"params": {"lr": 1}}, {"code": "d"}, {"job": "train:b"}])
def test_other_work_is_not_resumed(start, change):
    before = kill(start, **change)
    with start(resume=before.id) as run:
        pass
    assert run.id != before.id


@pytest.mark.parametrize("unknown", ["0" * 32, "unsent-1"])
def test_an_unknown_id_makes_a_new_run(start, live, unknown):
    with start(resume=unknown) as run:
        pass
    assert run.id != unknown and len(live()) == 1
    assert not Path(unsent.FILE).exists()


def test_find_knows_the_same_work_only(start, request):
    name = request.node.name
    job = "evaluate:laplace-iss:test2"
    assert tracking.find(name, job, PARAMS, "c") is None
    unfinished = kill(start, job=job)
    assert tracking.find(name, job, PARAMS, "c") is None
    with start(job=job) as run:
        pass
    assert tracking.find(name, job, PARAMS, "c") == run.id
    assert tracking.find(name, job, PARAMS, "d") is None
    assert tracking.find(name, job, {"lr": 0.2}, "c") is None
    other = store.open_store().client.get_run(unfinished.id)
    assert other.info.status == "RUNNING"  # this process made it, and is still at work


def test_a_run_whose_end_never_arrived_took_no_known_time(start):
    unfinished = kill(start)
    (known,) = tracking.summaries([unfinished.id])
    assert known["id"] == unfinished.id and known["seconds"] is None


def test_of_two_runs_that_overlap_the_one_that_ends_last_counts(start, live):
    with start() as first:
        with start() as second:
            pass
        states = {run.info.run_id: run.info.status for run in live()}
        assert states == {first.id: "RUNNING", second.id: "FINISHED"}
    assert [run.info.run_id for run in live()] == [first.id] and len(live("")) == 2
    assert live()[0].info.status == "FINISHED"


@pytest.mark.parametrize(
    ("about", "left"),
    [
        ({"process": f"{socket.gethostname()}:0"}, True),  # of the kernel: no process of a user's
        ({"process": "elsewhere:1"}, True),  # Snakemake lets it start after that one alone
        ({"process": "elsewhere:1", "folder": "another"}, False),
    ],
)
def test_a_run_is_superseded_where_its_process_is_known_to_have_ended(
    start, live, monkeypatch, about, left
):
    with monkeypatch.context() as patch:
        here = {**tracking.here.tags(), **about}
        patch.setattr(tracking.here, "tags", lambda: here)
        killed = kill(start)
    with start() as run:
        pass
    found = {one.info.run_id: one.info.status for one in live("")}
    assert found == {run.id: "FINISHED", killed.id: "KILLED" if left else "RUNNING"}
    assert len(live()) == 2 - left


@pytest.mark.parametrize("with_files", [True, False])
def test_a_copied_folder_has_its_artifacts_beside_its_database(
    empty, folder, monkeypatch, with_files
):
    def files(place):
        return sorted(str(one.relative_to(place)) for one in place.rglob("*.csv"))

    def log(place):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place}/mlflow.db")
        (folder / "table.csv").write_text("a\n1\n")
        with tracking.run("ssml", "train:a", "a", {}) as run:
            run.artifact(folder / "table.csv")
        return run.id

    first, second = folder / "first", folder / "a second"
    first.mkdir()
    shutil.copy(empty, first / "mlflow.db")
    old = log(first)
    before = files(first)
    if with_files:
        shutil.copytree(first, second)
    else:
        second.mkdir()
        for part in first.glob("mlflow.db*"):
            shutil.copy(part, second)
    new = log(second)
    assert files(first) == before and len(files(second)) == 1 + with_files
    found = {id: store.open_store().client.get_run(id).info.artifact_uri for id in (old, new)}
    assert found[new].startswith(second.as_uri())
    assert found[old].startswith((second if with_files else first).as_uri())
    (folder / "link").symlink_to(second)
    log(folder / "link")  # the same folder by another name
    assert store.open_store().client.get_run(new).info.artifact_uri == found[new]
