"""How the drivers and MLflow grow: with the training's shards, and 50 methods on three sets.

No stage is run: tiny files stand for all that the stages would make.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ssml.config import layout
from ssml.config.params import Params, load

from .measure import options, show

ROOT = Path(__file__).parent.parent
NEEDED = (
    "Snakefile",
    "dvc.yaml",
    ".dvcignore",
    ".gitignore",
    "pipeline",
    "ssml",
    "profiles",
    "presets",
)
SETS = ("test2", "test3", "test4")
COLUMNS = ("s", "of the processor")
BIN = Path(sys.executable).parent

# logs a run for each method, given by their number, and set; LIST counts them
LOG = f"""
import sys
from ssml import tracking
for method in range(int(sys.argv[1])):
    for name in {SETS}:
        job = f"evaluate:{{method}}:{{name}}"
        with tracking.run("grow", job, job, {{"set": name}}, "", {{"set": name}}, job) as one:
            for step in range(21):
                one.log({{"SI-SDR dB by iteration": step}}, step)
"""
LIST = f"""
import sys
from ssml.tracking.store import LIVE, open_store
assert len(open_store().search("grow/evaluate", LIVE)) == int(sys.argv[1]) * {len(SETS)}
"""


def main() -> None:
    chosen = options((__doc__ or "").split("\n")[0], most=1000, methods=50)
    tables: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for shards in sorted({min(n, chosen.most) for n in (10, 100, 1000)}):
            rows = tables[f"{shards} training shards, {chosen.methods} methods"] = {}
            for name, *taken in drivers(Path(scratch) / str(shards), shards, chosen.methods):
                rows[name] = dict(zip(COLUMNS, taken, strict=True))
        folder = Path(scratch) / "tracking"
        folder.mkdir()
        rows = tables["MLflow, its start included"] = {}
        for name, script in {f"{len(SETS) * chosen.methods} runs": LOG, "list them": LIST}.items():
            taken = call(folder, sys.executable, "-W", "ignore", "-c", script, str(chosen.methods))
            rows[name] = dict(zip(COLUMNS, taken, strict=True))
    show("Growth", tables, chosen.json)


def drivers(folder: Path, shards: int, methods: int) -> Iterator[tuple[str, float, float]]:
    """What each command does, its seconds, and those of the processor."""
    params = checkout(folder, shards, methods)
    yield "snakemake -n, nothing made yet", *call(folder, "snakemake", "-n")
    for path in results(params):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(f"{path}\n")
    yield "snakemake --touch", *call(folder, "snakemake", "--touch", "all")
    yield "snakemake -n, all made", *call(folder, "snakemake", "-n")
    yield "dvc repro, all made, the first time", *call(folder, "dvc", "repro")
    yield "dvc repro, nothing to do", *call(folder, "dvc", "repro")
    yield "dvc status", *call(folder, "dvc", "status")
    call(folder, "dvc", "remote", "add", "-d", "store", str(folder / "store"))
    yield "dvc push", *call(folder, "dvc", "push")


def checkout(folder: Path, shards: int, methods: int) -> Params:
    """A project in `folder` with `shards` shards of training mixtures and so many `methods`."""
    folder.mkdir()
    for name in NEEDED:
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, folder / name)
    values: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["scenes"]["sets"]["train"]["mixtures"] = shards * values["mix"]["shard"]
    for n in range(methods - len(values["separate"]["methods"])):
        method = {"model": "laplace", "rule": "iss", "iterations": n + 1}
        values["separate"]["methods"][f"more-{n}"] = method
    (folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    call(folder, "git", "init")
    call(folder, "dvc", "init")
    return load(folder / "params.yaml")


def results(params: Params) -> Iterator[Path]:
    """Every file that the stages make, those before come first."""
    yield layout.MANIFEST
    for name in dict.fromkeys(
        (params.train.train, *params.train.validation, *params.separate.sets)
    ):
        yield from layout.shards(params, name, layout.scenes)
        yield from layout.shards(params, name)
    yield from layout.training(params)
    for variant in params.train.variants:
        path = layout.model(variant)
        yield from (path, path.with_suffix(".json"), layout.history(variant))
    for name in params.separate.sets:
        for method in (*params.separate.methods, layout.MIXTURE, layout.REFERENCE):
            made = (layout.separated, layout.scores, layout.curves, layout.transcripts)
            yield from (of(method, name) for of in made)
    yield from (layout.SUMMARY, layout.SUMMARY.with_suffix(".md"), layout.TABLES)
    yield from (layout.REPORT, layout.LISTEN, layout.TRACKED, layout.RUNS)
    yield from (layout.figure(name) for names in layout.figures(params).values() for name in names)


def call(folder: Path, *command: str) -> tuple[float, float]:
    """Run a command in `folder`; its seconds, and those of the processor."""
    quiet = {"DVC_NO_ANALYTICS": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONPATH": str(ROOT)}
    quiet["PATH"] = f"{BIN}:{os.environ['PATH']}"
    before, start = _processor(), time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=os.environ | quiet, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return time.perf_counter() - start, _processor() - before


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
