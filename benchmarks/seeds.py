"""The default reproduction for several seeds: the word on each claim, and what a run takes.

    python -m benchmarks.seeds FOLDER [--seeds 1 2 3]

Each run has a clone of the project in FOLDER/N, with N as the seed of the data and of the
trainings, and starts from nothing. A run that is finished is only read. Writes
`docs/results/synthetic-seeds.csv`.
"""

import argparse
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

from ssml.config.params import load
from ssml.files.io import read_json, write_json, write_table
from ssml.report import claims, results
from ssml.report.rivals import best_classical

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "docs/results/synthetic-seeds.csv"
CORES = 2
SEEDS = (r"^seed: .*$", "seed: {}"), (r"^  seeds: .*$", "  seeds: [{}]")


def clone(folder: Path, seed: int) -> None:
    """A clone of the committed project in `folder`, whose data and trainings have `seed`."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    path = folder / "params.yaml"
    text = path.read_text()
    for pattern, line in SEEDS:
        text, count = re.subn(pattern, line.format(seed), text, count=1, flags=re.M)
        if not count:
            raise SystemExit(f"{path}: has no line {pattern}")
    path.write_text(text)


def reproduce(folder: Path) -> None:
    """Run the workflow in `folder`; note there the seconds by the clock and of the processor."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = [sys.executable, "-m", "snakemake", "--cores", str(CORES), "--quiet", "rules"]
    subprocess.run(command, cwd=folder, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    write_json(folder / "time.json", {"wall": time.monotonic() - start, "processor": spent})


def row(folder: Path, seed: int) -> dict[str, str]:
    """What the run in `folder` says of each claim, by how much, and what it took."""
    found = results.read(load(folder / "params.yaml"), folder)
    cells = {"seed": str(seed)}
    for number, claim in enumerate(claims.claims(found), 1):
        cells[f"claim {number}"] = claim.verdict
    learned = found.params.report.learned_sdr
    for name in found.sets:
        gain = claims.si_sdr(found, name, learned, best_classical(found, name)).numbers
        cells[f"over the best classical method, {name}"] = gain.rpartition(",")[0]
    spent = read_json(folder / "time.json")
    cells["minutes on two cores"] = f"{spent['wall'] / 60:.1f}"
    cells["core-minutes"] = f"{spent['processor'] / 60:.0f}"
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    chosen = parser.parse_args()
    rows = []
    for seed in chosen.seeds:
        folder = chosen.folder / str(seed)
        if not folder.exists():
            clone(folder, seed)
        if not (folder / "time.json").exists():
            reproduce(folder)
        rows.append(row(folder, seed))
        write_table(TABLE, rows, list(rows[0]))


if __name__ == "__main__":
    main()
