"""Score one method on one test set: -> results/{scores,curves}/METHOD/SET.csv."""

import numpy as np

from pipeline.arguments import parse, run
from ssml.config import layout
from ssml.evaluation.metrics import COLUMNS, failure, measure
from ssml.evaluation.outcomes import CONDITIONS, conditions, outcomes
from ssml.files import allocator
from ssml.files.io import write_table


def main() -> None:
    allocator.keep_freed()  # STOI takes a tenth less time
    params, arguments = parse(__doc__, "method", "set")
    scores, curve = [], []
    for outcome in outcomes(params, arguments.method, arguments.set):
        id = outcome.info["id"]
        # a failed separation is stored as silence
        failed = "not finite" if outcome.failed else failure(outcome.est)
        given = (params.fs, params.score.sdr_taps, params.score.pesq)
        metrics = measure(outcome.est, outcome.ref, *given, outcome.early)
        for source, values in enumerate(metrics):
            row = {"id": id, "source": source, **values, "failure": failed}
            scores.append(row | conditions(outcome, source, params.fs))
        for iteration, values in outcome.curve.items():
            curve.append({"id": id, "iteration": iteration, "si_sdr": float(np.mean(values))})
    place = (arguments.method, arguments.set)
    write_table(layout.scores(*place), scores, ("id", "source", *COLUMNS, "failure", *CONDITIONS))
    write_table(layout.curves(*place), curve, ("id", "iteration", "si_sdr"))


if __name__ == "__main__":
    run(main)
