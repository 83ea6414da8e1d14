"""Kill the tiny pipeline again and again at drawn moments, go on, and compare what it has made.

    python -m tests.killing FOLDER --points 100 --seed 0

FOLDER keeps what an undisturbed run left, and `log.jsonl`: what was done and what came of it.
Started again, it goes on where it was. The run that is being disturbed is in FOLDER/disk, a file
system of its own where root may mount one; elsewhere no disk fills up.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext, suppress
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests import disk
from tests.conftest import ROOT
from tests.project import IDS, MADE, Project, checkout

DRIVERS = {
    "snakemake": ["snakemake", "--cores", "2", "--quiet", "all"],
    "dvc": ["dvc", "repro"],
}
UNLOCK = ["snakemake", "--unlock", "--quiet", "all"]
TIMED = ("time", "interrupt", "full")
TRACEBACK = re.compile(r"^.*Traceback \(most recent .*(?:\n .*)*\n.*", re.M)
HOW = ("half", "whole", "renamed", "time", *TIMED)


class Point(NamedTuple):
    """A moment to kill at."""

    driver: str  # of DRIVERS
    how: str  # of HOW: at a write; after `at` seconds; then by Ctrl-C, twice; then the disk is full
    whom: str  # all processes; the stage alone; the driver alone, whose children live on
    at: float  # s, or the number of the write


def draw(seed: int, kinds: Sequence[str] = HOW) -> Iterator[Point]:
    """The points of a seed, without end."""
    chance = random.Random(seed)
    while True:
        how = chance.choice(kinds)
        driver = chance.choice(list(DRIVERS))
        if how in TIMED:
            whom = chance.choice(("group", "group", "stage", "driver"))
            yield Point(driver, how, whom, round(chance.uniform(1, 45), 2))
        else:
            yield Point(driver, how, chance.choice(("group", "stage")), chance.randint(1, 12))


def small(folder: Path) -> Project:
    """A checkout of a still smaller pipeline, whose stages can be killed in a write."""
    project = checkout(folder)
    values = yaml.safe_load((ROOT / "tests/params.yaml").read_text())
    del values["scenes"]["sets"]["test3"], values["train"]["variants"]["learned-coherence"]
    values["separate"]["sets"] = ["test2"]
    values["separate"]["methods"].pop("learned-coherence-iss")
    values["report"]["learned_coherence"] = "learned-sdr-iss"
    values["train"]["variants"]["learned-sdr"].update(steps=12, checkpoint_every=1)
    (folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    shutil.copy(ROOT / "tests/sitecustomize_kill.py", folder / "sitecustomize.py")
    project.commit("small")
    return project


def forget(project: Project) -> None:
    """Back to a checkout in which nothing was made; compiled kernels stay."""
    gone = [*MADE, "checkpoints", ".snakemake", "mlruns", ".dvc/cache", ".dvc/tmp"]
    for name in gone:
        shutil.rmtree(project.folder / name, ignore_errors=True)
    for path in [*project.folder.glob("mlflow*"), project.folder / "dvc.lock"]:
        path.unlink(missing_ok=True)


def outcome(project: Project) -> dict[str, Any]:
    """What a finished run leaves: digests of its files, and what MLflow has but for times."""
    with closing(sqlite3.connect(project.folder / "mlflow.db")) as connection:
        rows = connection.execute(
            "select t.value, m.key, m.step, m.value from metrics m"
            " join tags t on t.run_uuid = m.run_uuid and t.key = 'job'"
            " join runs r on r.run_uuid = m.run_uuid and r.status = 'FINISHED'"
            " where m.key not like 'seconds/%'"
            " and m.run_uuid not in (select run_uuid from tags where key = 'superseded')"
        ).fetchall()
    tracked = Counter(json.dumps(row) for row in rows)
    digests = {k: v for k, v in project.digests().items() if k not in IDS}
    return {"files": digests, "tracked": dict(sorted(tracked.items()))}


def strike(project: Project, point: Point) -> dict[str, Any]:
    """Run the driver and disturb it at `point`; what was seen."""
    counter = project.folder.parent / "writes"
    counter.unlink(missing_ok=True)
    environment = project.environment()
    if point.how in ("half", "whole", "renamed"):
        environment["SSML_KILL"] = f"{point.how} {int(point.at)} {point.whom} {counter}"
    began = time.monotonic()
    command = DRIVERS[point.driver]
    with subprocess.Popen(
        command,
        cwd=project.folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        text=True,
    ) as process:
        running, struck = list[str](), False
        condition = nullcontext()
        if point.how in TIMED:
            try:
                process.wait(point.at)
            except subprocess.TimeoutExpired:
                running, struck = stages(process.pid), True
                if point.how == "full":
                    condition = disk.full(project.folder.parent)
                else:
                    _disturb(process.pid, point)
        with condition:
            printed = process.communicate(timeout=1800)[0]
    wait_for_orphans(process.pid)
    return {
        **point._asdict(),
        "code": process.returncode,
        "struck": struck or process.returncode != 0,  # not finished before
        "running": running,
        "seconds": round(time.monotonic() - began, 1),
        "traceback": "".join(TRACEBACK.findall(printed)[-1:]),
        "last": printed.strip().splitlines()[-1:],
    }


def _disturb(leader: int, point: Point) -> None:
    if point.how == "interrupt":
        for _ in range(2):
            _signal(lambda: os.killpg(leader, signal.SIGINT))
            time.sleep(0.7)
    elif point.whom == "group":
        _signal(lambda: os.killpg(leader, signal.SIGKILL))
    elif point.whom == "driver":
        _signal(lambda: os.kill(leader, signal.SIGKILL))
    else:
        for pid in members(leader)[-1:]:  # the youngest
            _signal(lambda pid=pid: os.kill(pid, signal.SIGKILL))


def _signal(send: Any) -> None:
    with suppress(ProcessLookupError):  # ended by itself meanwhile
        send()


def members(group: int) -> list[int]:
    """The living processes of a process group, oldest first."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # gone
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append((int(fields[19]), int(stat.parent.name)))
    return [pid for _, pid in sorted(found)]


def stages(group: int) -> list[str]:
    """The stages that run in a process group."""
    found = set()
    for pid in members(group):
        try:
            words = (Path("/proc") / str(pid) / "cmdline").read_text().split("\0")
        except OSError:
            continue
        found |= {
            " ".join(words[i:]).strip() for i, word in enumerate(words) if "pipeline." in word[:9]
        }
    return sorted(found)


def wait_for_orphans(group: int) -> None:
    """What outlived its driver ends by itself: never two of them at the same files."""
    while members(group):
        time.sleep(0.5)


def recover(project: Project) -> None:
    """What is documented to come between a kill and going on."""
    project.run(*UNLOCK)
    # DVC writes this file in place: a kill, or a full disk, may leave a part of it
    if "'./dvc.lock'" in project.run("dvc", "stage", "list", fails=None):  # only to refuse it
        (project.folder / "dvc.lock").unlink()


def finish(project: Project, driver: str) -> None:
    """The documented way on after a kill."""
    recover(project)
    project.run(*DRIVERS[driver])


def differences(found: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """The names, of files and of numbers in MLflow, at which two outcomes differ."""
    return {
        part: sorted(
            key
            for key in wanted[part].keys() | found[part].keys()
            if wanted[part].get(key) != found[part].get(key)
        )
        for part in wanted
    }


def campaign(folder: Path, points: int, seed: int, each: int) -> None:
    """Strike `points` times, up to `each` times a run, and write what came of it to `folder`.

    Drawn points that find a finished pipeline do not count; its outcome is compared.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log.jsonl"
    log.touch()
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    begun = sum("how" in row for row in rows)
    struck = sum(row.get("struck", False) for row in rows)
    with disk.mounted(folder / "disk", "1g") as mounted:
        shutil.rmtree(folder / "disk/project", ignore_errors=True)
        project = small(folder / "disk/project")
        wanted = undisturbed(project, folder)
        drawn = enumerate(draw(seed, HOW if mounted else HOW[:-1]))
        left = each
        for number, point in islice(drawn, begun, None):
            if struck >= points:
                break
            row = strike(project, point)
            note(log, {"point": number, **row})
            struck, left = struck + row["struck"], left - 1
            if row["struck"] and left and struck < points:
                recover(project)
                continue
            finish(project, point.driver)
            different = differences(outcome(project), wanted)
            project.run("dvc", "repro")
            project.assert_settled()
            note(log, {"different": different, "after": each - left})
            if any(different.values()):
                shutil.copytree(project.folder, folder / f"different-{number}", dirs_exist_ok=True)
            forget(project)
            left = each


def undisturbed(project: Project, folder: Path) -> dict[str, Any]:
    """The `outcome` of a run that nothing disturbs, kept in `folder`."""
    kept = folder / "undisturbed.json"
    if not kept.exists():
        began = time.monotonic()
        project.run(*DRIVERS["snakemake"])
        note(folder / "log.jsonl", {"undisturbed": round(time.monotonic() - began, 1)})
        kept.write_text(json.dumps(outcome(project), indent=1))
        forget(project)
    return json.loads(kept.read_text())


def note(log: Path, row: dict[str, Any]) -> None:
    with open(log, "a") as file:
        file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--each", type=int, default=8, help="points before a run is compared")
    given = parser.parse_args()
    campaign(given.folder.absolute(), given.points, given.seed, given.each)
