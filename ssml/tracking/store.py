"""What each record does in MLflow's database or server. The only module that imports mlflow."""

import functools
import json
import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any

from ssml.files import io

from . import here, views

LIVE = views.COUNTED  # not `!= 'true'`: that finds no run without the tag
FINISHED = "attributes.status = 'FINISHED'"
PREFIX = "unsent-"  # of the id that a run has until MLflow gives it one
BATCH = 100  # parameters a call
IDENTITY = ("job", "params", "code")  # tags that a run and its continuation share


def uri() -> str:
    """MLFLOW_TRACKING_URI, else the database `mlflow.db` of the working folder."""
    default = f"sqlite:///{Path('mlflow.db').absolute()}"
    return os.environ.get("MLFLOW_TRACKING_URI") or default


def open_store() -> "Store":
    """The store at `uri()`."""
    return _open(uri(), Path.cwd())


def send(record: Mapping[str, Any], again: bool = False) -> Any:
    """Carry `record` out: `start` returns the run's id and the last step of each metric it holds.

    `again`: it may have arrived before, and must do no harm then. Raises what MLflow raises.
    """
    store = open_store()
    if record["op"] == "start":
        return store.start(record, again)
    return getattr(store, record["op"])(store.resolve(record["run"]), record)


def _make_tables(database: Path) -> None:
    """Make MLflow's `database` beside its place, in a process of its own, which closes it.

    MLflow cannot go on with half of its tables, as a kill or a full disk would leave them.
    """
    part = database.with_name(f"{database.name}.part")
    for path in part.parent.glob(f"{part.name}*"):  # of one that was killed
        path.unlink()
    code = "import sys, mlflow; mlflow.MlflowClient(sys.argv[1])"
    command = [sys.executable, "-W", "ignore", "-c", code, f"sqlite:///{part}"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode or not part.exists():
        last = (done.stderr.strip() or "no database was made").splitlines()[-1]
        raise OSError(f"{database}: {last}")
    with closing(sqlite3.connect(part)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")  # readers do not stop writers
    part.replace(database)


class Store:
    """The MLflow at `uri`; a SQLite database has its artifacts in `mlruns` beside it."""

    def __init__(self, uri: str) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        # by default a call to a server that is down takes minutes
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
        import mlflow

        for logger in ("mlflow", "alembic", "urllib3"):  # failures are told once, by the caller
            logging.getLogger(logger).setLevel(logging.CRITICAL)
        self.experiments: dict[str, str] = {}  # name -> id
        self.runs: dict[str, str] = {}  # unsent-... -> MLflow's id
        self.database: Path | None = None
        if uri.startswith("sqlite:///"):
            self.database = Path(uri.removeprefix("sqlite:///")).absolute()
            self.database.parent.mkdir(parents=True, exist_ok=True)
        with self.lock():  # processes that make the tables at once crash
            if self.database and not self.database.exists():
                _make_tables(self.database)
            elif self.database:
                here.bring_along(self.database)
            self.client: Any = mlflow.MlflowClient(uri)

    def lock(self) -> AbstractContextManager[Any]:
        from filelock import FileLock

        return FileLock(f"{self.database}.lock") if self.database else nullcontext()

    def experiment(self, name: str) -> str:
        """The id of the experiment `name`, made where it is missing."""
        if name not in self.experiments:
            with self.lock():
                found = self.client.get_experiment_by_name(name) or self._create(name)
            if found.lifecycle_stage == "deleted":
                self.client.restore_experiment(found.experiment_id)
            self.experiments[name] = found.experiment_id
            if name.endswith(f"/{views.TRAINING.kind}"):
                self.show(name, views.TRAINING)
        return self.experiments[name]

    def show(self, name: str, view: views.View) -> None:
        """Make `view` the one that the links to the experiment `name` open."""
        id = self.experiment(name)
        held = self.client.get_experiment(id).tags
        for key, value in views.tags(view, id).items():
            if held.get(key) != value:
                self.client.set_experiment_tag(id, key, value)

    def _create(self, name: str) -> Any:
        location = here.artifacts(self.database, name) if self.database else None
        try:
            self.client.create_experiment(name, artifact_location=location)
        except Exception as error:  # a server has no lock: another process was first
            if getattr(error, "error_code", "") != "RESOURCE_ALREADY_EXISTS":
                raise
        return self.client.get_experiment_by_name(name)

    def search(self, experiment: str, query: str) -> list[Any]:
        """The runs of the experiment named so that match `query`, the newest first."""
        return list(self.client.search_runs([self.experiment(experiment)], query))

    def resolve(self, run: str) -> str:
        """MLflow's id of a run that was given an id of its own while MLflow was away."""
        if not run.startswith(PREFIX):
            return run
        if run not in self.runs:
            names = list(self.client.search_experiments())
            ids = [experiment.experiment_id for experiment in names]
            found = self.client.search_runs(ids, f"tags.key = '{run}'", max_results=1)
            if not found:
                raise LookupError(f"{run}: its start never arrived")
            self.runs[run] = found[0].info.run_id
        return self.runs[run]

    def start(self, record: Mapping[str, Any], again: bool) -> tuple[str, dict[str, int]]:
        """Make the run of `record`, or go on with the one it names if that is the same work."""
        from mlflow.entities import Param

        experiment = self.experiment(record["experiment"])
        tags = {**record["tags"], "key": record["run"]}
        run = self._resumed(record)
        last: dict[str, int] = {}
        if run:
            for key in run.data.metrics:
                history = self.client.get_metric_history(run.info.run_id, key)
                last[key] = max(metric.step for metric in history)
            self.client.update_run(run.info.run_id, status="RUNNING")
            for key in ("key", *here.tags()):
                self.client.set_tag(run.info.run_id, key, tags[key])
        elif again and (made := self.search(record["experiment"], f"tags.key = '{tags['key']}'")):
            run = made[0]
        else:
            run = self.client.create_run(experiment, record["time"], tags, record["name"])
        id = self.runs[record["run"]] = run.info.run_id
        params = [Param(key, value) for key, value in record["params"].items()]
        for i in range(0, len(params), BATCH):
            self.client.log_batch(id, params=params[i : i + BATCH])
        return id, last

    def _resumed(self, record: Mapping[str, Any]) -> Any:
        """The run that `record` resumes, or None where there is no such run to go on with.

        A finished one too: the files of its job may have been lost, but not its checkpoint.
        """
        if not record["resume"]:
            return None
        try:
            run = self.client.get_run(self.resolve(record["resume"]))
        except LookupError:
            return None
        except Exception as error:
            if getattr(error, "error_code", "") != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        tags = run.data.tags
        same = all(tags.get(key) == record["tags"][key] for key in IDENTITY)
        live = run.info.lifecycle_stage == "active" and "superseded" not in tags
        return run if same and live else None

    def log(self, run: str, record: Mapping[str, Any]) -> None:
        """Log the metrics of a step; MLflow leaves out a value that it holds already."""
        from mlflow.entities import Metric

        self.client.log_batch(
            run,
            metrics=[
                Metric(key, value, record["time"], record["step"])
                for key, value in record["metrics"].items()
            ],
        )

    def artifact(self, run: str, record: Mapping[str, Any]) -> None:
        path = Path(record["path"])
        if path.is_dir():
            self.client.log_artifacts(run, path, record["folder"] or None)
        elif path.exists():  # one that was deleted meanwhile cannot be sent later either
            self.client.log_artifact(run, path, record["folder"] or None)

    def dataset(self, run: str, record: Mapping[str, Any]) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        source = json.dumps({"uri": record["source"]})
        data = Dataset(record["name"], record["digest"], "local", source)
        given = DatasetInput(data, [InputTag("mlflow.data.context", record["context"])])
        self.client.log_inputs(run, [given])

    def register(self, model: str, run: str, about: str, alias: str) -> str:
        """Point `alias` of the registered `model` at what the run made; its version."""
        if not self.client.search_registered_models(f"name = '{model}'"):
            self.client.create_registered_model(model)
        made = self.client.search_model_versions(f"name = '{model}' and run_id = '{run}'")
        if not made:
            source = f"{self.client.get_run(run).info.artifact_uri}/model"
            made = [self.client.create_model_version(model, source, run)]
        self.client.update_model_version(model, made[0].version, about)
        self.client.set_registered_model_alias(model, alias, made[0].version)
        return str(made[0].version)

    def mend(self, run: str, record: Mapping[str, Any]) -> None:
        """Put MLflow's id of the run into the file that has the one it was given meanwhile."""
        path = Path(record["path"])
        if path.exists():
            io.write_text(path, path.read_text().replace(record["run"], run))

    def end(self, run: str, record: Mapping[str, Any]) -> None:
        """Set the run's status; a finished one supersedes the ended ones of its job.

        One that is still at work, in another folder or process, is left alone.
        """
        self.client.set_terminated(run, record["status"], record["time"])
        if record["status"] != "FINISHED":
            return
        this = self.client.get_run(run)
        job = this.data.tags["job"]
        for other in self.client.search_runs(
            [this.info.experiment_id], f"tags.job = '{job}' and {LIVE}"
        ):
            info = other.info
            if info.run_id == run:
                continue
            if info.status == "RUNNING" and not here.is_left(other.data.tags):
                continue
            if info.status == "FINISHED" and info.end_time > record["time"]:
                self.client.set_tag(run, "superseded", "true")  # this one was sent late
                continue
            self.client.set_tag(info.run_id, "superseded", "true")
            if info.status == "RUNNING":
                self.client.set_terminated(info.run_id, "KILLED")


@functools.lru_cache(maxsize=1)
def _open(uri: str, folder: Path) -> Store:
    """One connection a process; `folder` is what a relative `uri` is relative to."""
    return Store(uri)
