"""Log every method as an MLflow run: tables -> results/tracked.json.

The run of a method has its figures on all sets; that of the mixture also has the figures and sounds
that all methods on a set share. Each training gets the data it was made from as its input, and the
best learned model is registered. What the report says of the runs and of the time that the stages
took is written beside it: reports/runs.js.
"""

import json
import math
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arguments import parse, run
from ssml import tracking
from ssml.config import layout
from ssml.config.names import REACHED
from ssml.config.params import Params
from ssml.files.io import read_json, sha256, write_text
from ssml.files.provenance import code, digest
from ssml.report import durations, results, tables

SOURCE = code("pipeline.track")
MODEL = "ssml-source-model"  # in MLflow's registry
EVALUATE = "evaluate"  # the experiment, after that of params.track
DIGITS = 3  # after the point, of a mean
CURVE = "SI-SDR dB by iteration"
MEASURED = ("separate", "score", "transcribe")  # stages with a job for each method and set
TABLES = {"scores": layout.scores, "curves": layout.curves, "transcripts": layout.transcripts}


def main() -> None:
    params, _ = parse(__doc__)
    found = results.read(params)
    rows = tables.summarise(found)
    data = {name: contents(layout.shards(params, name)) for name in params.separate.sets}
    ids = {
        method: log(params, method, [row for row in rows if row.method == method], found, data)
        for method in dict.fromkeys(row.method for row in rows)
    }
    tracking.show(params.track.experiment, view(params, rows))
    cards = {
        name: read_json(layout.model(name).with_suffix(".json")) for name in params.train.variants
    }
    trained = trainings(params, cards)
    log_training_data(params, cards, trained)
    register(params, rows, trained)
    tracking.write_ids(layout.TRACKED, ids)
    # an evaluation's run lasts as long as its logging: that says nothing
    runs = [one | {"seconds": None} for one in tracking.summaries(ids.values())]
    runs = tracking.summaries(trained.values()) + runs
    shown = {"SSML_RUNS": runs, "SSML_TIMES": {"cores": os.cpu_count(), "stages": times(params)}}
    lines = [f"window.{name} = {json.dumps(value, indent=1)};\n" for name, value in shown.items()]
    write_text(layout.RUNS, "".join(lines))


def log(
    params: Params,
    method: str,
    rows: list[tables.Row],
    found: results.Results,
    data: dict[str, str],
) -> str:
    """The id of the run that holds the method's `rows`, which is made if there is none.

    `data` has the digest of each set's mixtures.
    """
    sets = [row.test_set for row in rows]
    given = params.separate.methods.get(method)
    chosen = given.model_dump(exclude_defaults=True) if given else {}
    facts = {**chosen, "sets": " ".join(sets)}
    files = files_of(found.trainings(method), rows)
    digests = {folder: contents(paths) for folder, paths in files.items() if paths}
    digests |= {f"data/{name}": data[name] for name in sets}
    job = f"{EVALUATE}:{method}"
    known = tracking.find(params.track.experiment, job, facts, SOURCE, digests)
    if known:
        return known
    with tracking.run(
        params.track.experiment,
        job,
        method,
        facts,
        SOURCE,
        {"method": method},
        tables.markdown(rows),
        digests=digests,
    ) as tracked:
        for row in rows:
            values = row.metrics().items()
            # digits that mean nothing would fill MLflow's columns; the tables have them all
            values = {f"{row.test_set}/{name}": round(value, DIGITS) for name, value in values}
            tracked.log(values | seconds_of(method, row.test_set))
            if curve := found.curves.get((method, row.test_set)):
                means = np.nanmean(found.curves_of(method, row.test_set)[0], axis=(0, 1))
                for iteration, value in zip(curve.at, means, strict=True):
                    tracked.log({f"{row.test_set}/{CURVE}": round(value, DIGITS)}, int(iteration))
            folder = str(layout.shards(params, row.test_set)[0].parent)
            tracked.dataset(row.test_set, data[row.test_set], folder, "testing")
        attach(tracked, files)
        return tracked.id


def files_of(trainings: list[str], rows: list[tables.Row]) -> dict[str, list[Path]]:
    """The files of the method's run, by their folder among its artifacts.

    Of the trainings with other seeds than the first: the tables, in folders of their names.
    """
    sets, method = [row.test_set for row in rows], trainings[0]
    files = {
        folder if name == method else f"{folder}/{name}": [
            path for test_set in sets if (path := make(name, test_set)).is_file()
        ]
        for folder, make in TABLES.items()
        for name in trainings
    }
    files["audio"] = [path for name in sets for path in sounds_of(name, method)]
    shown = sets if method == layout.MIXTURE else list({row.model for row in rows})
    files["figures"] = [path for name in shown for path in layout.figures_of(name)]
    return files


def view(params: Params, rows: list[tables.Row]) -> tracking.View:
    """A row a method: SI-SDR and capped WER on each set; their charts and curves, by set."""
    sets = params.separate.sets
    logged = {name for row in rows for name in row.metrics()}
    first = [name for name in ("SI-SDR dB", "WER capped") if name in logged]
    more = sorted(logged.difference(first))
    seconds = [f"seconds/{stage}/{name}" for stage in MEASURED for name in sets]

    def of(test_set: str, names: list[str]) -> list[str]:
        return [f"{test_set}/{name}" for name in names]

    columns = [f"metrics.`{name}`" for test_set in sets for name in of(test_set, first)]
    return tracking.View(
        EVALUATE,
        "Each method on all test sets.",
        [*columns, "params.`model`", "params.`rule`", "params.`iterations`"],
        columns[0],
        [
            *(tracking.Section(name, of(name, [*first, CURVE])) for name in sets),
            *(tracking.Section(f"{name}, more", of(name, more), open=False) for name in sets),
            tracking.Section("seconds", seconds, open=False),
        ],
    )


def times(params: Params) -> list[dict[str, Any]]:
    """The cost of each stage, for the report; None where it was not measured."""
    names = {*params.scenes.sets, *params.separate.methods, *params.train.variants}
    found = durations.stages(names | {layout.MIXTURE, layout.REFERENCE})
    return [
        {"stage": stage} | {k: None if math.isnan(v) else v for k, v in cost._asdict().items()}
        for stage, cost in found.items()
    ]


def seconds_of(method: str, test_set: str) -> dict[str, float]:
    """Seconds of each of the evaluation's jobs."""
    found = {}
    for stage in MEASURED:
        cost = durations.together([layout.timing(stage, method, test_set)])
        if cost and math.isfinite(cost.seconds):
            found[f"seconds/{stage}/{test_set}"] = cost.seconds
    return found


Cards = dict[str, dict[str, Any]]  # variant -> the card of its model


def trainings(params: Params, cards: Cards) -> dict[str, str]:
    """The id of the run that trained each variant's model, where MLflow has that run.

    The run is found by the facts in the model's card. An older model may have been restored, so the
    run need not be the latest of the variant.
    """
    found = {}
    for variant, card in cards.items():
        facts = {key: value for key, value in card.items() if key not in REACHED}
        if id := tracking.find_any(params.track.experiment, f"train:{variant}", facts):
            found[variant] = id
    return found


def log_training_data(params: Params, cards: Cards, trained: dict[str, str]) -> None:
    """Log the training data, with the digest in the model's card, to the run of each training."""
    name = " and ".join([params.train.train, *params.train.validation])
    folder = str(layout.training(params)[0].parent.parent)
    for variant, id in trained.items():
        data = {"name": name, "digest": cards[variant]["data"], "source": folder}
        tracking.log_inputs(id, data | {"context": "training"})


def attach(tracked: tracking.Run, folders: dict[str, list[Path]]) -> None:
    for folder, files in folders.items():
        for path in files:
            tracked.artifact(path, folder)


def sounds_of(test_set: str, method: str) -> list[Path]:
    """What the listening page plays of `method` on `set`."""
    of_these = re.compile(rf"{test_set}-\d+-{method}-\d\.mp3")  # not of a method whose name ends so
    return [path for path in sorted(layout.AUDIO.glob("*.mp3")) if of_these.fullmatch(path.name)]


def contents(files: list[Path]) -> str:
    return digest([sha256(path) for path in files])[:16]


def register(params: Params, rows: list[tables.Row], trained: dict[str, str]) -> None:
    """Register the learned model with the highest SI-SDR on the sets of the training's size."""
    scores = [
        (row.si_sdr.mean, row)
        for row in rows
        if row.model in trained and row.speakers in params.talkers and row.si_sdr
    ]
    scores = [(score, row) for score, row in scores if np.isfinite(score)]
    if not scores:
        return
    score, row = max(scores, key=lambda pair: pair[0])
    about = f"Highest SI-SDR of the trained models: {score:.2f} dB, {row.method} on {row.test_set}."
    tracking.register(MODEL, trained[row.model], about, "best")


if __name__ == "__main__":
    run(main)
