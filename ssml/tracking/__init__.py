"""Runs in MLflow: one per job, superseded when made again. The only module that imports mlflow.

Trouble with tracking never stops the work: what cannot be sent is appended to `mlflow-unsent.jsonl`
in the working folder and sent at the next occasion, or by `python -m ssml.tracking`.
Users see the runs that count with the filter `tags.superseded IS NULL`.
"""

import functools
import json
import re
import subprocess
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ssml.files import provenance
from ssml.files.io import write_json

from . import here, unsent
from .store import FINISHED, LIVE, PREFIX, open_store, send
from .views import Section, View

__all__ = [
    "Run",
    "Section",
    "View",
    "find",
    "find_any",
    "git",
    "log_inputs",
    "register",
    "resend",
    "run",
    "show",
    "summaries",
    "write_ids",
]

LONGEST = 6000  # characters of a parameter's value in MLflow
WAIT = 60.0  # s, at least, between a failure and the next attempt


def resend() -> int:
    """Send the kept records, each once, oldest first; returns how many had to stay."""
    return len(unsent.resend())


class Run:
    """A run to log to: `id` is MLflow's, or `unsent-...` where MLflow could not be reached."""

    def __init__(self, start: Mapping[str, Any]) -> None:
        self.id = f"{PREFIX}{uuid.uuid4().hex}"
        self._due = 0.0  # no attempt before
        self._behind = Path(unsent.FILE).exists()
        self._last: dict[str, int] = {}  # metric -> last step that a resumed run holds
        started = self._do({"op": "start", **start})
        if started:
            self.id, self._last = started

    def log(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log `metrics` of a step in one call; steps that a resumed run holds are left out."""
        values = {_name(key): float(value) for key, value in metrics.items()}
        if step is not None:
            values = {k: v for k, v in values.items() if step > self._last.get(k, -1)}
        if values:
            self._do({"op": "log", "metrics": values, "step": int(step or 0)})

    def artifact(self, path: Path | str, folder: str = "") -> None:
        """Copy a file or a folder to `folder` among the run's artifacts."""
        self._do({"op": "artifact", "path": str(Path(path).absolute()), "folder": folder})

    def dataset(self, name: str, digest: str, source: str, context: str) -> None:
        """Note that the run used the data `name`, of this digest, for `context`, e.g. testing."""
        about = {"name": name, "digest": digest, "source": source, "context": context}
        self._do({"op": "dataset", **about})

    def end(self, status: str) -> None:
        """Mark the run FINISHED (older ones of its job are then superseded), FAILED or KILLED."""
        self._due = 0.0  # the last occasion
        self._do({"op": "end", "status": status})

    def _do(self, record: Mapping[str, Any]) -> Any:
        """Send `record`, or keep it for later; a server that is down is not asked each time."""
        record = {"run": self.id, "time": int(time.time() * 1000), **record}
        began = time.monotonic()
        if began >= self._due:
            try:
                if self._behind and any(kept["run"] == self.id for kept in unsent.resend()):
                    raise ConnectionError("earlier records of this run are still unsent")
                self._behind = False
                return send(record)
            except Exception as error:  # whatever it is: tracking trouble is no training trouble
                unsent.warn(error)
                self._behind = True
                now = time.monotonic()
                self._due = now + max(WAIT, 20 * (now - began))
        unsent.keep(record)
        return None


@contextmanager
def run(
    experiment: str,
    job: str,
    name: str,
    params: Mapping[str, Any],
    code: str = "",
    tags: Mapping[str, str] | None = None,
    description: str = "",
    resume: str | None = None,
    digests: Mapping[str, str] | None = None,
) -> Iterator[Run]:
    """A run of `job` (`train:learned-sdr`, `evaluate:laplace-iss:test2`) in `experiment/train` etc.

    `code` is the digest of the stage's code. When the block ends well, older runs of the job are
    tagged superseded; when it raises, the run is FAILED and supersedes nothing. `resume` is the id
    of a run to go on with if that is of the same job, params and code. `digests` are those of the
    files that the run is about: tags, and part of what makes it the same work.
    """
    start = {
        "experiment": _experiment(experiment, job),
        "name": name,
        "params": _flat(params),
        "tags": {
            **{_name(key): str(value)[:LONGEST] for key, value in (tags or {}).items()},
            **{_name(f"digest/{key}"): value for key, value in (digests or {}).items()},
            "job": _name(job),
            "params": _identity(params, digests),
            "code": code,
            "git": git(),
            **here.tags(),
            "mlflow.note.content": description[:LONGEST],
        },
        "resume": resume,
    }
    this = Run(start)
    try:
        yield this
    except BaseException as error:
        this.end("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
        raise
    this.end("FINISHED")


def find(
    experiment: str,
    job: str,
    params: Mapping[str, Any],
    code: str = "",
    digests: Mapping[str, str] | None = None,
) -> str | None:
    """The id of the live, finished run of `job` with these params, code and digests, or None."""
    same = _identity(params, digests)
    return _latest(experiment, job, same, f"tags.code = '{code}' and {LIVE}")


def find_any(experiment: str, job: str, params: Mapping[str, Any]) -> str | None:
    """The id of the latest finished run of `job` with these params, superseded or not, or None."""
    return _latest(experiment, job, _identity(params))


def _identity(params: Mapping[str, Any], digests: Mapping[str, str] | None = None) -> str:
    return provenance.digest([params, digests] if digests else params)[:16]


def _latest(experiment: str, job: str, same: str, *also: str) -> str | None:
    conditions = (f"tags.job = '{_name(job)}'", f"tags.params = '{same}'", *also, FINISHED)
    try:
        found = open_store().search(_experiment(experiment, job), " and ".join(conditions))
    except Exception as error:
        unsent.warn(error)
        return None
    return found[0].info.run_id if found else None


def show(experiment: str, view: View) -> None:
    """Make `view` the one that the links to the `experiment` open: `ssml/evaluate` etc."""
    try:
        open_store().show(f"{experiment}/{view.kind}", view)
    except Exception as error:
        unsent.warn(error)


def log_inputs(run: str, data: Mapping[str, str]) -> None:
    """Note once in the finished run `run` that it used `data`: name, digest, source, context."""
    try:
        inputs = open_store().client.get_run(run).inputs.dataset_inputs
        if data["digest"] not in {given.dataset.digest for given in inputs}:
            send({"op": "dataset", "run": run, **data})
    except Exception as error:
        unsent.warn(error)


def register(model: str, run: str, about: str, alias: str) -> str | None:
    """Register what the finished run `run` has made as `model`, under `alias`; its version."""
    try:
        return open_store().register(model, run, about, alias)
    except Exception as error:
        unsent.warn(error)
        return None


def summaries(runs: Iterable[str]) -> list[dict[str, Any]]:
    """What is known of the finished `runs`, by job: name, ids, commit, begin, seconds or None."""
    try:
        client = open_store().client
        found = [client.get_run(run) for run in runs if not run.startswith(PREFIX)]
        found.sort(key=lambda run: run.data.tags.get("job", ""))
    except Exception as error:
        unsent.warn(error)
        return []
    return [
        {
            "name": run.info.run_name,
            "job": run.data.tags.get("job", ""),
            "id": run.info.run_id,
            "experiment": run.info.experiment_id,
            "commit": run.data.tags.get("git", ""),
            "began": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(run.info.start_time / 1000)),
            "seconds": _seconds(run.info),
        }
        for run in found
    ]


def _seconds(info: Any) -> float | None:
    """How long a run took; None where its end never arrived."""
    return None if info.end_time is None else (info.end_time - info.start_time) / 1000


def write_ids(path: Path, ids: Mapping[str, str]) -> None:
    """Write the `ids` of runs to `path` as JSON; one that is unsent is mended when it is sent."""
    known, waiting = dict(ids), unsent.waiting()
    try:
        for key, id in ids.items():
            if id.startswith(PREFIX) and id not in waiting:
                known[key] = open_store().resolve(id)
    except Exception as error:
        unsent.warn(error)
    write_json(path, known)
    for id in known.values():
        if id.startswith(PREFIX):
            unsent.keep({"run": id, "op": "mend", "path": str(path)})


@functools.cache
def git() -> str:
    """The commit of the code, `-dirty` after it where tracked files differ; '' outside git."""

    def ask(*command: str) -> str:
        return subprocess.run(
            ["git", "-C", str(provenance.ROOT), *command],
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        ).stdout.strip()

    try:
        changed = ask("status", "--porcelain", "--untracked-files=no")
        return ask("rev-parse", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def _experiment(experiment: str, job: str) -> str:
    """`ssml/train` for the job `train:learned-sdr`."""
    return f"{experiment}/{job.partition(':')[0]}"


def _name(text: str) -> str:
    """`text` with only the characters, and at the length, that MLflow takes for a name."""
    return re.sub(r"[^\w\-. /:]", "_", text, flags=re.ASCII)[:250]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested `values` as one level of dotted keys and texts that MLflow takes."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, default=str)
            flat[_name(f"{prefix}{key}")] = text[:LONGEST]
    return flat
