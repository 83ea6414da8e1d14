"""Tables, claims and figures of all results: the summary and the report's first page.

Reads results/ and models/; writes results/summary.{csv,md,tex}, reports/index.html and
reports/figures/.
"""

import sys

from pipeline.arguments import parse, run
from ssml.config import layout, params
from ssml.config.uses import uses
from ssml.files import io, provenance, versions
from ssml.report import claims, latex, page, pictures, results, tables


def main() -> None:
    chosen, _ = parse(__doc__)
    found = results.read(chosen)
    rows = tables.summarise(found)
    plates = pictures.plates(found, rows)
    # all is computed before anything is written
    known = versions.together(layout.results(chosen))
    facts = digests(chosen) | {"Versions": versions.as_text(known) or "unknown"}
    html = page.render(found, rows, claims.claims(found), plates, facts)
    io.write_text(layout.SUMMARY, tables.as_csv(rows))
    io.write_text(layout.SUMMARY.with_suffix(".md"), tables.markdown(rows))
    io.write_text(layout.TABLES, latex.latex(rows))
    for picture in (picture for plate in plates for picture in plate.pictures):
        io.write_text(layout.figure(picture.name), picture.drawing.svg)
        io.write_bytes(layout.figure(picture.name, "pdf"), picture.drawing.pdf)
    shown = {picture.name for plate in plates for picture in plate.pictures}
    for old in (layout.REPORT.parent / "figures").glob("*"):
        if old.stem not in shown:
            old.unlink()
    io.write_text(layout.REPORT, html)
    print(tables.ascii_table(rows), end="")
    if mixed := {library: each for library, each in known.items() if len(each) > 1}:
        print(
            f"warning: the tables mix results of {versions.as_text(mixed)}; make them anew: "
            "snakemake $(python -m pipeline.outdated)",
            file=sys.stderr,
        )


def digests(chosen: params.Params) -> dict[str, str]:
    """What the numbers depend on: parameters, data, and each stage's code; no commit, no time."""
    stages = {stage: uses(chosen, stage) for stage in layout.MEASURING}
    return {
        "Parameters": provenance.digest(chosen.model_dump(mode="json"))[:16],
        "Corpus manifest": io.sha256(layout.MANIFEST)[:16],
    } | {f"Code of {name}": code for name, code in provenance.codes(stages).items()}


if __name__ == "__main__":
    run(main)
