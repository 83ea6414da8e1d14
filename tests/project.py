"""A checkout with tiny parameters in a folder of its own, and commands run in it."""

import hashlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from tests import THREADS
from tests.conftest import ROOT

COPIED = (
    *("Snakefile", "dvc.yaml", ".dvcignore", ".gitignore"),
    *("pipeline", "ssml", "profiles", "presets"),
)
BIN = Path(sys.executable).parent
IDS = ("results/tracked.json", "reports/runs.js")  # MLflow's own names of the runs
MADE = ("data", "models", "results", "reports")
# root, in the tests, may do no more to files than their owner
ORDINARY = (
    ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("setpriv")
    else []
)


class Project:
    """A checkout with tiny parameters, and what was run in it by the commands in `programs`."""

    def __init__(self, folder: Path, programs: Path = BIN) -> None:
        self.folder, self.programs = folder, programs

    def environment(self) -> dict[str, str]:
        changed = {
            **os.environ,
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "DVC_NO_ANALYTICS": "1",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        # the project's own code, database and threads, not this checkout's and the tests'
        for name in ("MLFLOW_TRACKING_URI", "PYTHONPATH", *THREADS):
            changed.pop(name, None)
        return changed

    def run(self, *command: str, fails: bool | None = False) -> str:
        """Run a command there, check its exit code, and return all that it printed.

        `fails` None: either code will do.
        """
        done = subprocess.run(
            [*ORDINARY, *command],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=1800,
        )
        output = done.stdout + done.stderr
        assert fails is None or (done.returncode != 0) == fails, output[-6000:]
        return output

    def snakemake(self, *arguments: str, fails: bool = False) -> str:
        return self.run("snakemake", "--cores", "2", *arguments, fails=fails)

    def jobs(self, *targets: str) -> dict[str, int]:
        """How many jobs of each rule Snakemake would run."""
        return jobs(self.snakemake("-n", "--", *targets))

    def commit(self, message: str) -> None:
        self.run("git", "add", "-A")
        author = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        self.run("git", *author, "commit", "-qm", message)

    def digests(self) -> dict[str, str]:
        """SHA-256 of everything the stages made.

        Without the libraries' versions beside each result: they say which modules the process that
        ended it had imported, which is another number of them where it was taken up again.
        """
        return {
            str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for name in MADE
            for path in sorted((self.folder / name).rglob("*"))
            if path.is_file() and not path.name.endswith(".versions.json")
        }

    def changed(self, before: dict[str, str]) -> set[str]:
        after = self.digests()
        assert after.keys() == before.keys()
        return {name for name in after if after[name] != before[name]}

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    def assert_settled(self) -> None:
        """Neither Snakemake nor DVC has anything to do."""
        assert "Nothing to be done" in self.snakemake("-n")
        assert "up to date" in self.run("dvc", "status")


def jobs(printed: str) -> dict[str, int]:
    """How many jobs of each rule Snakemake said it would run."""
    found = {name: int(n) for name, n in re.findall(r"^(\w+) +(\d+)$", printed, re.M)}
    found.pop("total", None)
    return found


def checkout(folder: Path) -> Project:
    """A new project in `folder`, committed, with nothing made yet."""
    folder.mkdir(parents=True)
    ignored = shutil.ignore_patterns("__pycache__")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder / name)
    copy_kernels(folder)
    (folder / ".dvc").mkdir()
    shutil.copy(ROOT / ".dvc/config", folder / ".dvc/config")
    shutil.copy(ROOT / "tests/params.yaml", folder / "params.yaml")
    project = Project(folder)
    project.run("git", "init", "-q")
    project.commit("start")
    return project


def copy_kernels(folder: Path) -> None:
    """Take over what numba has compiled here: it is known by the content of its sources."""
    kept = Path("ssml/iva/kernels/__pycache__")
    (folder / kept).mkdir()
    for path in (ROOT / kept).glob("*.nb[ci]"):
        with suppress(FileNotFoundError):  # replaced meanwhile
            shutil.copy(path, folder / kept)


def copied(project: Project, folder: Path) -> Project:
    """A copy of a finished project, which is finished where it stands now."""
    shutil.copytree(project.folder, folder, symlinks=True)
    old, new = f"{project.folder}/", f"{folder}/"
    with closing(sqlite3.connect(folder / "mlflow.db")) as database, database:
        named = "select m.name, c.name from sqlite_master m, pragma_table_info(m.name) c"
        for table, column in database.execute(f"{named} where m.type = 'table'").fetchall():
            database.execute(
                f'update {table} set "{column}" = replace("{column}", ?, ?)'
                f' where "{column}" like ?',
                (old, new, f"%{old}%"),
            )
    return Project(folder)


def tracked_runs(project: Project, experiment: str) -> dict[str, Any]:
    """The live MLflow runs of an experiment, all finished and each of another job: job -> run."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{project.folder / 'mlflow.db'}")
    chosen = client.get_experiment_by_name(experiment)
    found = client.search_runs([chosen.experiment_id], "tags.superseded IS NULL")
    by_job = {run.data.tags["job"]: run for run in found}
    assert len(by_job) == len(found)
    assert {run.info.status for run in found} == {"FINISHED"}
    return by_job
