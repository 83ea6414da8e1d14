"""This process and this folder in MLflow: who is at work, and where the files of runs lie."""

import hashlib
import os
import socket
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote

ARTIFACTS = "mlruns"  # beside the database
PATHS = (
    *(("runs", "artifact_uri"), ("logged_models", "artifact_location")),
    *(("model_versions", "source"), ("model_versions", "storage_location")),
)  # of what is there, in tables of the database


def tags() -> dict[str, str]:
    """Who makes a run: the process, and the working folder, the same from all machines."""
    folder = Path.cwd()
    # paths alone would confuse the containers of a cluster, numbers alone two file systems
    known = hashlib.sha256(f"{folder}:{folder.stat().st_ino}".encode()).hexdigest()[:16]
    return {"folder": known, "process": f"{socket.gethostname()}:{os.getpid()}"}


def is_left(found: Mapping[str, str]) -> bool:
    """Whether the run with the tags `found` was left by a process of this folder that is no more.

    Snakemake lets one process at a time make a job in a folder. So a process on another machine has
    ended where this one makes the same job.
    """
    mine = tags()
    host, _, process = found.get("process", "").rpartition(":")
    if found.get("folder") != mine["folder"] or not process:
        return False
    return host != socket.gethostname() or not Path("/proc", process).exists()


def artifacts(database: Path, experiment: str) -> str:
    """Where the artifacts of `experiment` belong: beside `database`."""
    return (database.parent / ARTIFACTS / experiment).as_uri()


def bring_along(database: Path) -> None:
    """Point to the files beside `database` where it was moved or copied with its folder.

    MLflow stores absolute paths: a copy would write its artifacts into the original.
    """
    with closing(sqlite3.connect(database)) as connection, connection:
        for name, given in connection.execute(
            "select name, artifact_location from experiments"
        ).fetchall():
            wanted = artifacts(database, name)
            end = wanted.removeprefix(database.parent.as_uri())
            if given == wanted or not given.endswith(end) or _is_same(given, wanted, end):
                continue
            change = "update experiments set artifact_location = ? where name = ?"
            connection.execute(change, (wanted, name))
            if not (database.parent / ARTIFACTS).is_dir():
                continue  # the files are still where they were
            for table, column in PATHS:
                connection.execute(
                    f"update {table} set {column} = ? || substr({column}, ?) "
                    f"where substr({column}, 1, ?) = ?",
                    (wanted, len(given) + 1, len(given) + 1, f"{given}/"),
                )


def _is_same(given: str, wanted: str, end: str) -> bool:
    """Whether both are in one folder by two names, as behind a symbolic link."""
    folders = [
        Path(unquote(one.removesuffix(end).removeprefix("file://"))) for one in (given, wanted)
    ]
    return all(folder.is_dir() for folder in folders) and folders[0].samefile(folders[1])
