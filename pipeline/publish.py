"""Write the tables of README.md, docs/ and the package from docs/results/*.csv.

With NAME, first take what this folder's workflow measured into docs/results/NAME*.csv.
"""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from ssml import pretrained
from ssml.config import layout
from ssml.config.names import CLASSICAL_NAMES
from ssml.config.params import load
from ssml.files import io
from ssml.files.errors import run
from ssml.report import publishing, results
from ssml.report.published import Published

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs/results"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("name", nargs="?", help="of the run that this folder holds")
    parser.add_argument("--command", default="make reproduce", help="how that run was made")
    parser.add_argument("--speakers", default="", help="whom the test sets are of")
    given = parser.parse_args()
    if given.name:
        add(given.name, {"command": given.command, "speakers": given.speakers})
    for path in documents():
        old = path.read_text()
        new = Published(FOLDER, path.parent).render(old)
        if new != old:
            io.write_text(path, new)
            print(path.relative_to(ROOT))
    rows = classical()
    io.write_table(pretrained.CLASSICAL, rows, list(rows[0]))


def classical() -> list[dict[str, str]]:
    """What `ssml models` compares the trained models with: the study's classical ones."""
    chosen = {*CLASSICAL_NAMES, ""}
    rows = [row for row in io.read_table(FOLDER / "study.csv") if row["model"] in chosen]
    return [row for row in rows if row["method"] != layout.REFERENCE]


def documents() -> list[Path]:
    """All that may hold a published table."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def add(name: str, about: dict[str, str], folder: Path = FOLDER) -> None:
    """Write the tables of the finished run in this folder, and where they come from."""
    found = results.read(load("params.yaml"))
    made = publishing.tables(found)
    about = about | publishing.origin(found) | {"date": f"{datetime.now(UTC):%Y-%m-%d}"}
    sources = io.read_table(folder / "sources.csv")
    columns = list(sources[0])
    sources = [row for row in sources if row["file"] not in {name + part for part in made}]
    for part, rows in made.items():
        io.write_table(folder / f"{name}{part}.csv", rows, list(rows[0]))
        sources.append(dict.fromkeys(columns, "") | about | {"file": name + part})
    io.write_table(folder / "sources.csv", sources, columns)


if __name__ == "__main__":
    run(main)
