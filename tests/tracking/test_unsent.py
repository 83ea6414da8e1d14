"""What could not be sent at once is kept, and sent once: servers down, runs that are gone."""

import math
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ssml import tracking
from ssml.files import io, provenance
from ssml.tracking import store, unsent
from tests.tracking.conftest import JOB, PARAMS

DOWN = "http://127.0.0.1:9"


def test_a_server_that_is_down_is_no_trouble(start, live, request, folder, monkeypatch, capsys):
    """The work goes on, a warning comes once, and `resend` delivers everything once."""
    database = store.os.environ["MLFLOW_TRACKING_URI"]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", DOWN)
    (folder / "table.csv").write_text("a\n1\n")
    began = time.monotonic()
    with start() as run:
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
    (found,) = live("")
    client = store.open_store().client
    assert found.info.status == "FINISHED" and found.data.params["lr"] == "0.1"
    assert len(client.get_metric_history(found.info.run_id, "loss")) == 50
    assert [file.path for file in client.list_artifacts(found.info.run_id)] == ["table.csv"]
    with start(resume=run.id) as again:
        pass
    assert again.id == found.info.run_id


def test_what_is_delivered_late_supersedes_nothing_newer(start, live, monkeypatch):
    database = store.os.environ["MLFLOW_TRACKING_URI"]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", DOWN)
    with start():
        pass
    late = Path(unsent.FILE).rename("late")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    with start() as newer:
        pass
    late.rename(unsent.FILE)
    assert tracking.resend() == 0
    assert [run.info.run_id for run in live()] == [newer.id] and len(live("")) == 2


def test_trouble_in_the_middle_heals_by_the_end(start, monkeypatch):
    with start() as run:
        run.log({"loss": 0}, 0)
        with monkeypatch.context() as patch:
            patch.setattr(store.Store, "log", lambda *_: 1 / 0)
            run.log({"loss": 1}, 1)
        run.log({"loss": 2}, 2)
    history = store.open_store().client.get_metric_history(run.id, "loss")
    assert [metric.step for metric in history] == [0, 1, 2]
    assert not Path(unsent.FILE).exists()


def test_a_deleted_run_does_not_hold_up_the_others(start, live):
    with start() as run:
        pass
    unsent.keep({"run": "0" * 32, "op": "log", "metrics": {"a": 1.0}, "step": 0, "time": 1})
    unsent.keep({"run": run.id, "op": "log", "metrics": {"late": 1.0}, "step": 0, "time": 1})
    assert tracking.resend() == 1
    assert live()[0].data.metrics["late"] == 1


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


def test_the_ids_in_a_file_are_mended_when_the_runs_are_sent(start, live, monkeypatch):
    path = Path("tracked.json")
    database = store.os.environ["MLFLOW_TRACKING_URI"]
    with start(job="train:b") as known:
        pass
    monkeypatch.setenv("MLFLOW_TRACKING_URI", DOWN)
    with start() as kept:
        pass
    tracking.write_ids(path, {"a": kept.id, "b": known.id})
    assert io.read_json(path) == {"a": kept.id, "b": known.id} and kept.id.startswith("unsent-")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    assert tracking.resend() == 0
    ids = {run.data.tags["job"]: run.info.run_id for run in live()}
    assert io.read_json(path) == {"a": ids[JOB], "b": known.id}
    tracking.write_ids(path, {"a": kept.id})  # sent between its end and this
    assert io.read_json(path) == {"a": ids[JOB]}


def test_a_run_without_its_start_does_not_hold_up_the_others(start, live):
    with start() as run:
        pass
    unsent.keep({"run": "unsent-1", "op": "log", "metrics": {"a": 1.0}, "step": 0, "time": 1})
    unsent.keep({"run": run.id, "op": "log", "metrics": {"late": 1.0}, "step": 0, "time": 1})
    assert tracking.resend() == 1
    assert live()[0].data.metrics["late"] == 1


def test_a_record_is_appended_without_reading_those_before(monkeypatch):
    unsent.keep({"run": "a", "op": "log"})
    with open(unsent.FILE, "a") as file:
        file.write('{"cut')

    def read(*_):
        raise AssertionError("read")

    with monkeypatch.context() as patch:
        for name in ("read_bytes", "read_text"):
            patch.setattr(Path, name, read)
        unsent.keep({"run": "b", "op": "log"})
    lines = Path(unsent.FILE).read_text().splitlines()
    assert [line[:10] for line in lines] == ['{"run": "a', '{"cut', '{"run": "b']
