"""Check a finished run: a sample of its scores from the audio, and the summary from its tables.

With --published NAME, compare the summary with docs/results/NAME.csv too. Exits with 1 where a
number differs. Run it in the folder of the run: `python -m pipeline.verify --sample 50 --seed 7`.
"""

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ssml.config import layout
from ssml.config.params import load
from ssml.evaluation import verification
from ssml.files import io
from ssml.files.errors import run
from ssml.report import results, tables

ROOT = Path(__file__).parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sample", type=int, default=30, help="mixtures to score again")
    parser.add_argument("--seed", type=int, default=0, help="of the drawn sample")
    parser.add_argument("--published", help="a run in docs/results/ to compare with")
    given = parser.parse_args()
    params = load()
    chosen = verification.draw_sample(params, given.sample, given.seed)
    count, wrong = verification.differences(params, chosen)
    print(f"{len(chosen)} mixtures scored again: {count - len(wrong)} of {count} numbers agree")
    lines = [str(difference) for difference in wrong]
    rows = [row.cells() for row in tables.summarise(results.read(params))]
    lines += unequal(rows, layout.SUMMARY)
    if given.published:
        lines += unequal(rows, ROOT / f"docs/results/{given.published}.csv")
    for line in lines:
        print(line)
    if lines:
        sys.exit(1)
    print("the summary is that of the tables" + (", and as published" * bool(given.published)))


def unequal(rows: Sequence[Mapping[str, Any]], path: Path) -> list[str]:
    """Each cell of the table `path` that is not what `rows` have, to the digits of the table."""
    found = []
    known = {(row["set"], row["method"]): row for row in io.read_table(path)}
    for row in rows:
        written = known.pop((row["set"], row["method"]), None)
        if written is None:
            found.append(f"{path}: no row for {row['method']} on {row['set']}")
            continue
        found += [
            f"{path}: {row['method']} on {row['set']}, {name}: {written[name]} in the table, "
            f"{value} from the results"
            for name, value in row.items()
            if name in written and not _same(written[name], value)
        ]
    return found + [f"{path}: {method} on {name} is not in this run" for name, method in known]


def _same(text: str, value: Any) -> bool:
    if isinstance(value, float) and text:
        digits = len(text.partition(".")[2])
        return math.isclose(float(text), value, abs_tol=0.51 * 10.0**-digits)
    return text == str(value)


if __name__ == "__main__":
    run(main)
