"""Log every evaluation (a method on a set) as an MLflow run: tables -> results/tracked.json."""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arguments import parse
from ssml import layout, tracking
from ssml.errors import run
from ssml.io import sha256, write_json
from ssml.provenance import code
from ssml.report import results, tables


def main() -> None:
    params, _ = parse(__doc__)
    found, ids = results.read(params), {}
    for row in tables.summarise(found):
        makers = (layout.scores, layout.curves, layout.transcripts)
        files = [path for make in makers if (path := make(row.method, row.set)).is_file()]
        digests = {path.parts[1]: sha256(path)[:16] for path in files}
        method = params.separate.methods.get(row.method)
        facts = {**(method.model_dump() if method else {}), "set": row.set, "digests": digests}
        curve = found.curves.get((row.method, row.set))
        ids[f"{row.method} on {row.set}"] = log(params.track.experiment, row, facts, curve, files)
    write_json(layout.TRACKED, ids)


def log(
    experiment: str,
    row: tables.Row,
    facts: dict[str, Any],
    curve: np.ndarray | None,
    files: list[Path],
) -> str:
    """The id of the run that holds this evaluation, which is made if there is none."""
    job, source = f"evaluate:{row.method}:{row.set}", code("pipeline.track")
    known = tracking.find(experiment, job, facts, source)
    if known:
        return known
    name, tags = f"{row.method} on {row.set}", {"method": row.method, "set": row.set}
    about = f"{row.mixtures} mixtures of {row.speakers} speakers."
    with tracking.run(experiment, job, name, facts, source, tags, about) as tracked:
        tracked.log(row.metrics())
        for iteration, value in enumerate([] if curve is None else np.nanmean(curve, axis=0)):
            tracked.log({"SI-SDR dB by iteration": value}, iteration)
        for path in files:
            tracked.artifact(path, path.parts[1])
        for path in [*layout.figures(row.set), *layout.figures(row.model)]:
            tracked.artifact(path, "figures")
        return tracked.id


if __name__ == "__main__":
    run(main)
