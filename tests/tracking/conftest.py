"""What the tests of tracking share: a database, and runs in an experiment of the test's own."""

import shutil
from pathlib import Path

import pytest

from ssml import tracking
from ssml.tracking import store, unsent
from tests.conftest import once

PARAMS = {"lr": 0.1, "network": {"name": "glu", "sizes": [1, 2]}, "note": "x" * 9000}
JOB = "train:learned-sdr"


@pytest.fixture(scope="session")
def empty(shared) -> Path:
    """A database to copy, made once a test run: it takes seconds."""

    def make(folder):
        store.Store(f"sqlite:///{folder}/mlflow.db")

    return once(shared / "mlflow", make) / "mlflow.db"


@pytest.fixture(scope="session")
def database(empty, tmp_path_factory) -> Path:
    """A database for this process."""
    return Path(shutil.copy(empty, tmp_path_factory.mktemp("mlflow")))


@pytest.fixture(autouse=True)
def folder(database, tmp_path, monkeypatch):
    """A working folder of its own, and the database."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    unsent._warned.clear()
    unsent._waiting.clear()
    return tmp_path


@pytest.fixture
def start(request):
    """Begins a run in an experiment of the test's own."""

    def begun(**options):
        given = {"job": JOB, "name": "a run", "params": PARAMS, "code": "c", **options}
        return tracking.run(request.node.name, **given)

    return begun


@pytest.fixture
def live(request):
    """The runs of that experiment, as a query finds them."""

    def found(query=store.LIVE, kind="train"):
        return store.open_store().search(f"{request.node.name}/{kind}", query)

    return found
