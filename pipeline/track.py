"""Log every evaluation (a method on a set) as an MLflow run: tables -> results/tracked.json.

The evaluations of a set are the children of the set's own run, which holds its figures, its data
and the sounds of the mixtures. Each training gets the data it was made from as its input, and the
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

from pipeline.arguments import parse
from ssml import tracking
from ssml.config import layout
from ssml.config.names import REACHED
from ssml.config.params import Params
from ssml.files.errors import run
from ssml.files.io import read_json, sha256, write_json, write_text
from ssml.files.provenance import code, digest
from ssml.report import durations, results, tables

SOURCE = code("pipeline.track")
MODEL = "ssml-source-model"  # in MLflow's registry


def main() -> None:
    params, _ = parse(__doc__)
    found, ids = results.read(params), {}
    rows = tables.summarise(found)
    for test_set in params.separate.sets:
        parent = ids[test_set] = log_set(params, test_set)
        for row in (row for row in rows if row.test_set == test_set):
            curve = found.curves.get((row.method, test_set))
            ids[f"{row.method} on {test_set}"] = log(params, row, curve, parent)
    cards = {
        name: read_json(layout.model(name).with_suffix(".json")) for name in params.train.variants
    }
    trained = trainings(params, cards)
    log_training_data(params, cards, trained)
    register(params, rows, trained)
    write_json(layout.TRACKED, ids)
    # an evaluation's run lasts as long as its logging: that says nothing
    runs = [one | {"seconds": None} for one in tracking.summaries(ids.values())]
    runs = tracking.summaries(trained.values()) + runs
    shown = {"SSML_RUNS": runs, "SSML_TIMES": {"cores": os.cpu_count(), "stages": times(params)}}
    lines = [f"window.{name} = {json.dumps(value, indent=1)};\n" for name, value in shown.items()]
    write_text(layout.RUNS, "".join(lines))


def log_set(params: Params, test_set: str) -> str:
    """The id of the run that holds what all methods on `set` share, made if there is none."""
    scene, figures = params.scenes.sets[test_set], layout.figures_of(test_set)
    shards = layout.shards(params, test_set)
    data = digest([sha256(path) for path in shards])[:16]
    sounds = sounds_of(test_set, layout.MIXTURE) + sounds_of(test_set, layout.REFERENCE)
    facts = scene.model_dump(mode="json") | {"data": data}
    facts |= {"figures": contents(figures), "sounds": contents(sounds)}
    job = f"evaluate:{test_set}"
    known = tracking.find(params.track.experiment, job, facts, SOURCE)
    if known:
        return known
    name = f"{test_set}: {scene.mixtures} mixtures of {scene.speakers} speakers"
    about = f"What the evaluations below it share. {name}, from the split '{scene.split}'."
    with tracking.run(
        params.track.experiment, job, name, facts, SOURCE, {"set": test_set}, about
    ) as tracked:
        tracked.dataset(test_set, data, str(shards[0].parent), "testing")
        attach(tracked, {"figures": figures, "audio": sounds})
        return tracked.id


def log(params: Params, row: tables.Row, curve: results.Curve | None, parent: str) -> str:
    """The id of the run that holds this evaluation, which is made if there is none."""
    makers = (layout.scores, layout.curves, layout.transcripts)
    files = [path for make in makers if (path := make(row.method, row.test_set)).is_file()]
    method = params.separate.methods.get(row.method)
    facts: dict[str, Any] = {**(method.model_dump() if method else {}), "set": row.test_set}
    facts["digests"] = {path.parts[1]: sha256(path)[:16] for path in files}
    sounds = sounds_of(row.test_set, row.method)
    facts["sounds"] = contents(sounds)
    job = f"evaluate:{row.method}:{row.test_set}"
    known = tracking.find(params.track.experiment, job, facts, SOURCE)
    if known:
        tracking.adopt(known, parent)
        return known
    name, tags = f"{row.method} on {row.test_set}", {"method": row.method, "set": row.test_set}
    about = f"{row.mixtures} mixtures of {row.speakers} speakers, {row.failures or 0} failed."
    with tracking.run(
        params.track.experiment, job, name, facts, SOURCE, tags, about, parent=parent
    ) as tracked:
        tracked.log(row.metrics() | seconds_of(row.method, row.test_set))
        if curve is not None:
            for iteration, value in zip(curve.at, np.nanmean(curve.values, axis=0), strict=True):
                tracked.log({"SI-SDR dB by iteration": value}, int(iteration))
        tracked.dataset(
            row.test_set, facts["digests"].get("scores", ""), str(files[0]), "evaluation"
        )
        attach(tracked, {path.parts[1]: [path] for path in files})
        attach(tracked, {"audio": sounds})
        attach(tracked, {"figures": layout.figures_of(row.model)})
        return tracked.id


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
    for stage in ("separate", "score", "transcribe"):
        cost = durations.together([layout.timing(stage, method, test_set)])
        if cost and math.isfinite(cost.seconds):
            found[f"seconds/{stage}"] = cost.seconds
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
    name = f"{params.train.train} and {params.train.dev}"
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
    speakers = params.scenes.sets[params.train.train].speakers
    scores = [
        (row.si_sdr.mean, row)
        for row in rows
        if row.model in trained and row.speakers == speakers and row.si_sdr
    ]
    scores = [(score, row) for score, row in scores if np.isfinite(score)]
    if not scores:
        return
    score, row = max(scores, key=lambda pair: pair[0])
    about = f"Highest SI-SDR of the trained models: {score:.2f} dB, {row.method} on {row.test_set}."
    tracking.register(MODEL, trained[row.model], about, "best")


if __name__ == "__main__":
    run(main)
