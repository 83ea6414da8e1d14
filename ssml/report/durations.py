"""How long the workflow's jobs ran, from Snakemake's `benchmark` files.

No result depends on these files, and nothing hashes them. For a job that was interrupted and
resumed they hold the last part.
"""

import csv
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from ssml.config import layout


class Cost(NamedTuple):
    """Time and memory of several jobs; nan where not measured (jobs of a few seconds)."""

    jobs: int
    seconds: float  # s, one after another
    longest: float  # s
    cpu: float  # s
    memory: float  # MB, the most that any of them had


def stages(names: Iterable[str]) -> dict[str, Cost]:
    """Stage -> cost of its jobs, for stages that were measured.

    Files of jobs whose sets, methods or variants are not among `names` are of another workflow.
    """
    known, found = set(names), {}
    for stage in layout.STAGES:
        folder = layout.timing(stage).with_suffix("")
        paths = [layout.timing(stage), *sorted(folder.rglob("*.tsv"))]
        of_this = [path for path in paths if path.is_file() and _parts(path, folder) <= known]
        if taken := together(of_this):
            found[stage] = taken
    return found


def together(paths: Iterable[Path]) -> Cost | None:
    """Cost of the jobs of these files together; None where no file exists."""
    rows = [row for path in paths if path.is_file() for row in _read(path)]
    if not rows:
        return None
    seconds, cpu, memory = (
        [_number(row, key) for row in rows] for key in ("s", "cpu_time", "max_rss")
    )
    measured = [value for value in memory if not math.isnan(value)]
    return Cost(len(rows), sum(seconds), max(seconds), sum(cpu), max(measured, default=math.nan))


def _parts(path: Path, folder: Path) -> set[str]:
    """The names in a file's path below `folder`, but for the numbers of shards."""
    if not path.is_relative_to(folder):
        return set()
    parts = path.relative_to(folder).with_suffix("").parts
    return {part for part in parts if not part.isdigit()}


def _read(path: Path) -> list[dict[str, Any]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _number(row: dict[str, Any], key: str) -> float:
    """A cell's number; Snakemake writes NA or - for what it could not measure."""
    try:
        return float(row.get(key) or math.nan)
    except ValueError:
        return math.nan
