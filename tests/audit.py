"""An audit by drawn changes: what reran is what a run from nothing shows to differ.

    python -m tests.audit FOLDER [--changes 30] [--seed 1]

Each change is made in a copy of a finished tiny pipeline, which then goes on, and in a checkout
that begins from nothing. A result of the copy that differs from the checkout's is stale; a job of
the copy whose results stayed as they were was needless. Rows go to FOLDER/audit.jsonl; what stands
there is not done again.
"""

import argparse
import ast
import json
import random
import re
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.project import IDS, Project, checkout, copied

# key of the params file -> another value; of every section that a stage reads
PARAMETERS: dict[str, Any] = {
    "seed": 2,
    "scenes.t60": [0.2, 0.3],
    "scenes.level": [-3, 3],
    "scenes.sets.test2.mixtures": 4,
    "scenes.sets.train.seconds": [2, 2.5],
    "mix.max_order": 6,
    "mix.noise": "diffuse",
    "train.seeds": [2],
    "train.variants.learned-sdr.lr": 0.002,
    "train.variants.learned-sdr.iterations": [1, 2],
    "train.variants.learned-coherence.steps": 5,
    "separate.stft.hop": 128,
    "separate.methods.laplace-iss.iterations": 5,
    "separate.methods.learned-sdr-iss.rule": "ip",
    "score.sdr_taps": 16,
    "transcribe.mixtures": 2,
    "transcribe.methods": ["laplace-iss"],
    "report.title": "Another title",
}
# modules in which a number of the code is changed
MODULES = (
    *("ssml/data/scenes.py", "ssml/data/mixing.py", "ssml/data/rooms.py", "ssml/data/noise.py"),
    *("ssml/iva/losses.py", "ssml/iva/models/spherical.py", "ssml/iva/models/glu.py"),
    *("ssml/iva/linalg.py", "ssml/iva/demixing.py", "ssml/training/trainer.py"),
    *("ssml/evaluation/metrics.py", "ssml/evaluation/statistics.py", "ssml/report/tables.py"),
)
KINDS = ("parameter", "code", "comment", "corpus", "model", "threads", "environment")


class Change(NamedTuple):
    """A change, in words, and the function that makes it in a project's folder."""

    kind: str
    what: str
    make: Callable[[Project], None]
    made: bool = False  # of a file that stages make: a run from nothing is without it


def drawn(seed: int) -> Iterator[Change]:
    """Changes without end, of every kind; a function of the seed."""
    chance = random.Random(seed)
    keys = list(PARAMETERS)
    chance.shuffle(keys)
    while True:
        for kind in chance.choices(KINDS, weights=(8, 10, 2, 2, 2, 1, 1), k=len(KINDS)):
            match kind:
                case "parameter":
                    key = keys.pop() if keys else chance.choice(list(PARAMETERS))
                    yield Change(kind, f"{key}: {PARAMETERS[key]}", parameter(key))
                case "code":
                    yield number(chance)
                case "comment":
                    name = chance.choice(MODULES)
                    yield Change(kind, name, lambda here, name=name: append(here, name, "# a word"))
                case "corpus":
                    at = chance.random()
                    yield Change(kind, "a recording is another", lambda h, at=at: hear(h, at), True)
                case "model":
                    name = chance.choice(["learned-sdr", "learned-coherence"])
                    what = f"models/{name}.safetensors is deleted"
                    yield Change(kind, what, lambda here, name=name: delete(here, name), True)
                case "threads":
                    yield Change(kind, "train.threads: 2", parameter("train.threads", 2))
                case _:
                    yield Change(kind, "HOME, LANG and TZ are others", lambda here: None)


def parameter(key: str, value: Any = None) -> Callable[[Project], None]:
    """A function that changes `key` of the params file."""

    def make(project: Project) -> None:
        path = project.folder / "params.yaml"
        values = yaml.safe_load(path.read_text())
        part = values
        *parents, last = key.split(".")
        for parent in parents:
            part = part[parent]
        part[last] = PARAMETERS[key] if value is None else value
        path.write_text(yaml.safe_dump(values, sort_keys=False))

    return make


def number(chance: random.Random) -> Change:
    """A change of one number in one module: a float by a tenth, a larger whole number by one."""
    while True:
        name = chance.choice(MODULES)
        text = Path(name).read_text()
        found = [
            node
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Constant)
            and type(node.value) in (int, float)
            and (node.value > 2 or isinstance(node.value, float))
        ]
        if not found:
            continue
        node = chance.choice(found)
        value = node.value * 1.1 if isinstance(node.value, float) else node.value + 1
        lines = text.splitlines(keepends=True)
        line = lines[node.lineno - 1]
        lines[node.lineno - 1] = f"{line[: node.col_offset]}{value}{line[node.end_col_offset :]}"
        edited = "".join(lines)
        what = f"{name}:{node.lineno}: {node.value} -> {value:g}"
        return Change("code", what, partial(put, name=name, text=edited))


def put(project: Project, name: str, text: str) -> None:
    (project.folder / name).write_text(text)


def append(project: Project, name: str, line: str) -> None:
    path = project.folder / name
    path.write_text(f"{path.read_text()}{line}\n")


def hear(project: Project, at: float) -> None:
    """Replace a recording of the corpus by another one of it, of the same length or not."""
    files = sorted((project.folder / "data/corpus").rglob("*.flac"))
    if files:
        first = int(at * len(files))
        shutil.copy(files[first - 1], files[first])


def delete(project: Project, name: str) -> None:
    (project.folder / f"models/{name}.safetensors").unlink(missing_ok=True)


def results(project: Project) -> dict[str, str]:
    """Digests of what was made, without MLflow's names and what holds times."""
    kept = re.compile(r"(data|models|results)/")
    return {k: v for k, v in project.digests().items() if kept.match(k) and k not in IDS}


def go_on(project: Project, **environment: str) -> tuple[list[str], str]:
    """The files that jobs made, and what Snakemake printed; an error of a job is printed too."""
    words = [f"{name}={value}" for name, value in environment.items()]
    said = project.run("env", *words, "snakemake", "--cores", "2", fails=None)
    outputs = re.findall(r"^    output: (.*)$", said, re.M)
    return [name for line in outputs for name in line.split(", ")], said


def audit(change: Change, finished: Project, folder: Path) -> dict[str, Any]:
    """Make the change in a copy and in a checkout from nothing; what was stale, what needless."""
    shutil.rmtree(folder, ignore_errors=True)
    copy = copied(finished, folder / "copy")
    before = results(copy)
    change.make(copy)
    others = {"LANG": "C", "TZ": "Asia/Tokyo"} if change.kind == "environment" else {}
    ran, said = go_on(copy, **others)
    after = results(copy)
    fresh = checkout(folder / "fresh")
    if not change.made:
        change.make(fresh)
    _, told = go_on(fresh, **others)
    wanted = results(fresh)
    told_of = [line for line in said.splitlines() if line.startswith("error: ")]
    refused = bool(told_of) and (change.made or "error: " in told)
    stale = sorted(k for k in wanted.keys() | after.keys() if wanted.get(k) != after.get(k))
    return {
        "kind": change.kind,
        "what": change.what,
        "refused": told_of[0] if refused else "",
        "stale": [] if refused else stale,
        "ran": len(ran),
        "needless": sum(before.get(name) == after.get(name) for name in ran if name in before),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--changes", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    log = chosen.folder / "audit.jsonl"
    log.touch()
    done = len(log.read_text().splitlines())
    finished = Project(chosen.folder / "finished")
    if not (finished.folder / "reports/index.html").exists():
        shutil.rmtree(finished.folder, ignore_errors=True)
        checkout(finished.folder).snakemake()
    for number_, change in enumerate(drawn(chosen.seed)):
        if number_ >= chosen.changes:
            break
        if number_ >= done:
            row = audit(change, finished, chosen.folder / "trial")
            with log.open("a") as file:
                file.write(f"{json.dumps(row)}\n")
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
