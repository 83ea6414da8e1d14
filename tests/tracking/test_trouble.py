"""MLflow's database locked, the disk full, records cut: nothing is lost, nothing doubled."""

import errno
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from ssml import tracking
from ssml.files import provenance
from ssml.tracking import store, unsent
from tests import disk

STEPS = 12
WHOLE = [(step, step / 2) for step in range(STEPS)]


@pytest.fixture(autouse=True)
def made(folder):
    """The module's database is made before any trouble."""
    store.open_store().experiment("made/train")


def train(name: str, disturb=lambda step: None) -> tracking.Run:
    """A run that logs `STEPS` losses, with `disturb` called before each."""
    with tracking.run(name, "train:a", "a", {"lr": 1}) as run:
        for step in range(STEPS):
            disturb(step)
            run.log({"loss": step / 2}, step)
    return run


def logged(name: str) -> list[tuple[int, float]]:
    """Steps and losses of the one run there is, which has finished."""
    (found,) = store.open_store().search(f"{name}/train", "")
    assert found.info.status == "FINISHED"
    history = store.open_store().client.get_metric_history(found.info.run_id, "loss")
    return sorted((metric.step, metric.value) for metric in history)


@pytest.fixture
def lock(database):
    """Take the database away from everyone else, and give it back."""
    with closing(sqlite3.connect(database, isolation_level=None)) as other:

        def held(yes: bool) -> None:
            for command in ("BEGIN EXCLUSIVE", "CREATE TABLE held (x)") if yes else ("ROLLBACK",):
                other.execute(command)

        yield held


@pytest.mark.slow
def test_a_locked_database_is_asked_once_and_told_all_at_the_end(request, lock, capsys):
    def disturb(step):
        if step == 3:
            lock(True)
        if step == STEPS - 1:
            assert len(Path(unsent.FILE).read_text().splitlines()) == STEPS - 4
            lock(False)

    began = time.monotonic()
    train(request.node.name, disturb)
    assert time.monotonic() - began < tracking.WAIT
    assert capsys.readouterr().err.count("warning") == 1
    assert not Path(unsent.FILE).exists()
    assert logged(request.node.name) == WHOLE


@pytest.mark.slow
def test_a_database_locked_to_the_end_is_told_by_the_command(request, lock):
    lock(True)
    run = train(request.node.name)
    lock(False)
    assert run.id.startswith("unsent-")
    command = [sys.executable, "-m", "ssml.tracking"]
    environment = {**store.os.environ, "PYTHONPATH": str(provenance.ROOT)}
    for _ in range(2):  # the second finds nothing
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0 and done.stdout == "nothing is left to send\n", done.stderr
    assert logged(request.node.name) == WHOLE


def test_a_full_disk_of_both_waits_in_memory(request, small_disk, monkeypatch, capsys):
    """Neither MLflow nor the file takes a record until there is room again."""
    monkeypatch.chdir(small_disk)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    def disturb(step):
        if step == 0:
            with open(small_disk / "ballast", "wb", buffering=0) as file:
                while file.write(bytes(512)):
                    if file.tell() > 2**17:
                        raise AssertionError("the disk has no end")
        if step == 6:
            assert len(unsent._waiting) == 6
            assert not Path(unsent.FILE).exists() or not Path(unsent.FILE).read_bytes()
            (small_disk / "ballast").unlink()

    def fill(step):
        try:
            disturb(step)
        except OSError as error:
            assert error.errno == errno.ENOSPC

    with monkeypatch.context() as patch:
        patch.setattr(store.Store, "log", full)
        patch.setattr(store.Store, "end", full)
        train(request.node.name, fill)
    assert not unsent._waiting and capsys.readouterr().err.count("No space left") == 1
    assert len(Path(unsent.FILE).read_text().splitlines()) == STEPS + 1
    assert tracking.resend() == 0
    assert logged(request.node.name) == WHOLE


@pytest.mark.slow
def test_a_disk_that_is_full_when_the_tables_are_made_delays_them(tmp_path, monkeypatch):
    """MLflow itself would leave half of them, and never go on from there."""
    with disk.mounted(tmp_path / "disk", "16m") as mounted:
        if not mounted:
            pytest.skip("needs root, to mount a small disk")
        database = tmp_path / "disk/mlflow.db"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
        with disk.full(tmp_path / "disk", room=300 * 1024):
            train("small")
        assert not database.exists()
        assert Path(unsent.FILE).exists()
        assert tracking.resend() == 0
        assert logged("small") == WHOLE
        assert not list(database.parent.glob("*.part*"))


def test_a_record_after_one_that_was_cut_is_kept(request, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(store.Store, "start", lambda *_: 1 / 0)
        train(request.node.name)
    with open(unsent.FILE, "a") as file:
        file.write('{"run": "x", "op": "lo')
    unsent.keep({"run": "0" * 32, "op": "log", "metrics": {"a": 1.0}, "step": 0, "time": 1})
    lines = Path(unsent.FILE).read_text().splitlines()
    assert len(lines) == STEPS + 4 and lines[-1].startswith('{"run": "000')
    assert tracking.resend() == 1  # the run that there is not
    assert "a broken record is left out" in capsys.readouterr().err
    assert logged(request.node.name) == WHOLE


def test_an_answer_that_is_lost_doubles_nothing(request, monkeypatch):
    """Each call arrives, and then fails as if the connection had broken."""
    for op in ("start", "log", "end"):
        method = getattr(store.Store, op)

        def broken(self, *arguments, method=method):
            method(self, *arguments)
            raise ConnectionError

        with monkeypatch.context() as patch:
            patch.setattr(store.Store, op, broken)
            train(f"{request.node.name}-{op}")
        assert tracking.resend() == 0
        assert logged(f"{request.node.name}-{op}") == WHOLE


def test_what_two_senders_send_arrives_once(request, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(store.Store, "start", lambda *_: 1 / 0)
        train(request.node.name)
    code = "import sys; from ssml import tracking; sys.exit(tracking.resend())"
    environment = {**store.os.environ, "PYTHONPATH": str(provenance.ROOT)}
    senders = [subprocess.Popen([sys.executable, "-c", code], env=environment) for _ in range(2)]
    assert [sender.wait() for sender in senders] == [0, 0]
    assert logged(request.node.name) == WHOLE
