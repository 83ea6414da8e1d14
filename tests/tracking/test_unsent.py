"""What could not be sent at once is kept, and sent once: servers down, runs that are gone."""

import math
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ssml import tracking
from ssml.files import provenance
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
