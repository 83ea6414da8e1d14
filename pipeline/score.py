"""Score one method on one test set: -> results/{scores,curves}/METHOD/SET.csv."""

import numpy as np

from pipeline.arguments import parse
from ssml import layout
from ssml.errors import run
from ssml.evaluation import outcomes
from ssml.io import write_table
from ssml.metrics import COLUMNS, measure

CONDITIONS = ("t60", "level", "snr", "speaker", "sex")


def main() -> None:
    params, arguments = parse(__doc__, "method", "set")
    scores, curve = [], []
    for outcome in outcomes(params, arguments.method, arguments.set):
        info = outcome.info
        metrics = measure(outcome.est, outcome.ref, params.score.sdr_taps)
        for source, values in enumerate(metrics):
            row = {"id": info["id"], "source": source, **values}
            row |= {"t60": info["t60_measured"], "snr": info["snr"]}
            row |= {"level": info["levels"][source], "speaker": info["speaker_ids"][source]}
            scores.append(row | {"sex": info["sexes"][source]})
        for iteration, values in enumerate(outcome.curve):
            row = {"id": info["id"], "iteration": iteration, "si_sdr": float(np.mean(values))}
            curve.append(row)
    place = (arguments.method, arguments.set)
    write_table(layout.scores(*place), scores, ("id", "source", *COLUMNS, *CONDITIONS))
    write_table(layout.curves(*place), curve, ("id", "iteration", "si_sdr"))


if __name__ == "__main__":
    run(main)
