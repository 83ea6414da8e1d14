"""Runs are never doubled, never lost, and never in the way."""

import json
import math
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ssml import provenance, tracking
from ssml.tracking import store, unsent

PARAMS = {"lr": 0.1, "network": {"name": "glu", "sizes": [1, 2]}, "note": "x" * 9000}
JOB = "train:learned-sdr"
DOWN = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """One database for the module: to make it takes seconds."""
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture(autouse=True)
def folder(database, tmp_path, monkeypatch):
    """A working folder of its own, and the module's database."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}/mlflow.db")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    unsent._warned.clear()
    return tmp_path


def start(request, **options):
    """A run in an experiment of the test's own."""
    given = {"job": JOB, "name": "a run", "params": PARAMS, "code": "c", **options}
    return tracking.run(request.node.name, **given)


def kill(request, **options):
    """A run that is never ended, whatever becomes of its block."""
    context = start(request, **options)
    run = context.__enter__()
    run.end = lambda status: None
    return run


def live(request, query=store.LIVE, kind="train"):
    return store.open_store().search(f"{request.node.name}/{kind}", query)


def test_import_is_light():
    code = "import sys, ssml.tracking; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=provenance.ROOT).returncode == 0


def test_a_run_holds_what_was_logged(request, folder):
    (folder / "table.csv").write_text("a\n1\n")
    with start(request, tags={"machine": "m"}, description="about") as run:
        run.log({"loss": 3, "si-sdr (dB)": math.inf}, step=0)
        run.log({"loss": math.nan, "si-sdr (dB)": 1.5}, step=1)
        run.log({"best": 2.5})
        run.artifact("table.csv", "tables")
    (found,) = live(request)
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


def test_a_rerun_supersedes_and_other_jobs_stay(request):
    with start(request) as first:
        first.log({"loss": 1}, step=0)
    with start(request, job="train:learned-coherence") as other:
        pass
    with start(request) as second:
        pass
    assert {run.info.run_id for run in live(request)} == {second.id, other.id}
    assert len(live(request, "")) == 3


def test_a_failing_run_supersedes_nothing(request):
    with start(request) as good:
        pass
    with pytest.raises(ZeroDivisionError), start(request) as bad:
        1 / 0  # noqa: B018
    states = {run.info.run_id: run.info.status for run in live(request)}
    assert states == {good.id: "FINISHED", bad.id: "FAILED"}
    assert tracking.find(request.node.name, JOB, PARAMS, "c") == good.id


def test_a_killed_run_is_resumed_without_doubles(request):
    killed = kill(request)
    for step in range(4):
        killed.log({"loss": step}, step)
    with start(request, resume=killed.id) as run:
        for step in range(2, 6):  # from the checkpoint of step 2
            run.log({"loss": step}, step)
    (found,) = live(request, "")
    assert run.id == killed.id == found.info.run_id and found.info.status == "FINISHED"
    history = store.open_store().client.get_metric_history(run.id, "loss")
    assert sorted(metric.step for metric in history) == list(range(6))


def test_a_finished_run_is_resumed_too(request):
    """Its driver was killed, and has the training made again, which finds nothing left to do."""
    with start(request) as done:
        done.log({"loss": 1}, 1)
    with start(request, resume=done.id) as run:
        pass
    (found,) = live(request, "")
    assert run.id == done.id == found.info.run_id and found.info.status == "FINISHED"
    assert found.data.metrics == {"loss": 1}


@pytest.mark.parametrize("change", [{"params": {"lr": 1}}, {"code": "d"}, {"job": "train:b"}])
def test_other_work_is_not_resumed(request, change):
    before = kill(request, **change)
    with start(request, resume=before.id) as run:
        pass
    assert run.id != before.id


@pytest.mark.parametrize("unknown", ["0" * 32, "unsent-1"])
def test_an_unknown_id_makes_a_new_run(request, unknown):
    with start(request, resume=unknown) as run:
        pass
    assert run.id != unknown and len(live(request)) == 1
    assert not Path(unsent.FILE).exists()


def test_find_knows_the_same_work_only(request):
    name = request.node.name
    job = "evaluate:laplace-iss:test2"
    assert tracking.find(name, job, PARAMS, "c") is None
    unfinished = kill(request, job=job)
    assert tracking.find(name, job, PARAMS, "c") is None
    with start(request, job=job) as run:
        pass
    assert tracking.find(name, job, PARAMS, "c") == run.id
    assert tracking.find(name, job, PARAMS, "d") is None
    assert tracking.find(name, job, {"lr": 0.2}, "c") is None
    superseded = store.open_store().client.get_run(unfinished.id)
    assert superseded.info.status == "KILLED" and superseded.data.tags["superseded"] == "true"


def test_a_server_that_is_down_is_no_trouble(request, folder, monkeypatch, capsys):
    """The work goes on, a warning comes once, and `resend` delivers everything once."""
    database = store.os.environ["MLFLOW_TRACKING_URI"]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", DOWN)
    (folder / "table.csv").write_text("a\n1\n")
    began = time.monotonic()
    with start(request) as run:
        for step in range(50):
            run.log({"loss": step, "odd": math.nan}, step)
        run.artifact("table.csv")
    assert time.monotonic() - began < 20
    assert tracking.find(request.node.name, JOB, PARAMS, "c") is None
    assert capsys.readouterr().err.count("warning") == 1
    kept = Path(unsent.FILE).read_text()
    assert len(kept.splitlines()) == 53 and tracking.resend() == 53

    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    assert tracking.resend() == 0 and tracking.resend() == 0
    assert not Path(unsent.FILE).exists()
    Path(unsent.FILE).write_text(kept)  # as if the sender had been killed before it tidied up
    assert tracking.resend() == 0
    (found,) = live(request, "")
    client = store.open_store().client
    assert found.info.status == "FINISHED" and found.data.params["lr"] == "0.1"
    assert len(client.get_metric_history(found.info.run_id, "loss")) == 50
    assert [file.path for file in client.list_artifacts(found.info.run_id)] == ["table.csv"]
    with start(request, resume=run.id) as again:
        pass
    assert again.id == found.info.run_id


def test_what_is_delivered_late_supersedes_nothing_newer(request, monkeypatch):
    database = store.os.environ["MLFLOW_TRACKING_URI"]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", DOWN)
    with start(request):
        pass
    late = Path(unsent.FILE).rename("late")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    with start(request) as newer:
        pass
    late.rename(unsent.FILE)
    assert tracking.resend() == 0
    assert [run.info.run_id for run in live(request)] == [newer.id] and len(live(request, "")) == 2


def test_trouble_in_the_middle_heals_by_the_end(request, monkeypatch):
    with start(request) as run:
        run.log({"loss": 0}, 0)
        with monkeypatch.context() as patch:
            patch.setattr(store.Store, "log", lambda *_: 1 / 0)
            run.log({"loss": 1}, 1)
        run.log({"loss": 2}, 2)
    history = store.open_store().client.get_metric_history(run.id, "loss")
    assert [metric.step for metric in history] == [0, 1, 2]
    assert not Path(unsent.FILE).exists()


def test_a_deleted_run_does_not_hold_up_the_others(request):
    with start(request) as run:
        pass
    unsent.keep({"run": "0" * 32, "op": "log", "metrics": {"a": 1.0}, "step": 0, "time": 1})
    unsent.keep({"run": run.id, "op": "log", "metrics": {"late": 1.0}, "step": 0, "time": 1})
    assert tracking.resend() == 1
    assert live(request)[0].data.metrics["late"] == 1


@pytest.mark.slow
def test_processes_that_start_together_on_no_database(folder, monkeypatch):
    """Three at once make one database and one experiment; the default location is this folder."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    code = (
        f"import sys; sys.path.insert(0, {str(provenance.ROOT)!r})\n"
        "from ssml import tracking\n"
        "with tracking.run('p', f'train:{sys.argv[1]}', 'n', {}) as run:\n"
        "    for step in range(20): run.log({'loss': step}, step)\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(i)], stderr=subprocess.PIPE, text=True)
        for i in range(3)
    ]
    assert [process.communicate()[1] for process in processes] == [""] * 3
    assert not Path(unsent.FILE).exists() and Path("mlflow.db").exists()
    runs = store.open_store().search("p/train", store.LIVE)
    assert len(runs) == 3 and all(run.data.metrics["loss"] == 19 for run in runs)


def test_a_run_is_shown_under_its_parent_and_knows_its_data(request):
    with start(request, job="evaluate:test2") as parent:
        parent.dataset("test2", "0123abcd", "data/mixtures/test2", "testing")
    with start(request, job="evaluate:a:test2", parent=parent.id) as child:
        pass
    found = store.open_store().client.get_run(child.id)
    assert found.data.tags[store.PARENT] == parent.id
    (given,) = store.open_store().client.get_run(parent.id).inputs.dataset_inputs
    assert (given.dataset.name, given.dataset.digest) == ("test2", "0123abcd")
    assert [(tag.key, tag.value) for tag in given.tags] == [("mlflow.data.context", "testing")]


def test_data_are_noted_once_in_the_run_that_counts(request):
    data = {"name": "train and dev", "digest": "abcd", "source": "data", "context": "training"}
    tracking.used(request.node.name, JOB, data)  # nothing there: no trouble
    with start(request) as old:
        pass
    with start(request) as new:
        pass
    for _ in range(2):
        tracking.used(request.node.name, JOB, data)
    tracking.used(request.node.name, JOB, data | {"digest": "ef01"})
    client = store.open_store().client
    given = client.get_run(new.id).inputs.dataset_inputs
    assert sorted(one.dataset.digest for one in given) == ["abcd", "ef01"]
    assert given[0].tags[0].value == "training"
    assert client.get_run(old.id).inputs.dataset_inputs == []


def test_a_known_run_is_adopted_by_a_new_parent(request):
    with start(request, job="evaluate:a:test2", parent=None) as child:
        pass
    with start(request, job="evaluate:test2") as parent:
        pass
    tracking.adopt(child.id, parent.id)
    assert store.open_store().client.get_run(child.id).data.tags[store.PARENT] == parent.id


def test_a_parent_that_was_unsent_is_found_later(request, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(store.Store, "start", lambda *_: 1 / 0)
        with start(request, job="evaluate:test2") as parent:
            pass
        with start(request, job="evaluate:a:test2", parent=parent.id):
            pass
    assert tracking.resend() == 0
    runs = {run.data.tags["job"]: run for run in live(request, kind="evaluate")}
    made = runs["evaluate:test2"].info.run_id
    assert runs["evaluate:a:test2"].data.tags[store.PARENT] == made


def test_the_best_model_has_an_alias_and_each_run_one_version(request, tmp_path):
    (tmp_path / "weights").write_text("w")
    model, client = f"model-{request.node.name}", store.open_store().client

    def register():
        return tracking.registered(model, request.node.name, JOB, "the best", "best")

    assert register() is None  # no run has made one
    for version in ("1", "2"):
        with start(request) as run:
            run.artifact(tmp_path / "weights", "model")
        assert register() == register() == version
        found = client.get_model_version_by_alias(model, "best")
        assert (str(found.version), found.run_id) == (version, run.id)
        assert found.description == "the best"


def test_live_runs_are_listed_with_their_commit(request):
    with start(request):
        pass
    with start(request) as newer:
        pass
    (found,) = tracking.live(request.node.name, "train")
    assert found["id"] == newer.id and found["commit"] == tracking.git()
    assert found["seconds"] >= 0 and found["began"].endswith("UTC")
