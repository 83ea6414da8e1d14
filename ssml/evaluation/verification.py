"""Scores computed again from the stored audio, and compared with the tables."""

import math
from typing import NamedTuple

from ssml.config import layout
from ssml.config.params import Params
from ssml.files import io
from ssml.files.provenance import generator

from .metrics import COLUMNS, measure
from .outcomes import outcomes

# BSS-eval is solved by iterations, whose sums differ between machines: dB, or parts of one for STOI
TOLERANCE = 2e-3


class Difference(NamedTuple):
    """A number in a table that is not what its audio gives."""

    method: str
    test_set: str
    mixture: str
    source: int
    metric: str
    table: float
    audio: float

    def __str__(self) -> str:
        place = layout.scores(self.method, self.test_set)
        return (
            f"{place}: {self.mixture}, source {self.source}, {self.metric}: "
            f"{self.table:.4f} in the table, {self.audio:.4f} from the audio"
        )


def draw_sample(params: Params, sample: int, seed: int) -> list[tuple[str, str, str]]:
    """`sample` of all (method, set, mixture) with a score, each at most once, by chance."""
    every = [
        (method, name, id)
        for name in params.separate.sets
        for method in (layout.MIXTURE, *params.separate.methods)
        if (path := layout.scores(method, name)).is_file()
        for id in sorted({row["id"] for row in io.read_table(path)})
    ]
    rng = generator(seed, "verify")
    return [every[i] for i in rng.permutation(len(every))[:sample]]


def differences(params: Params, chosen: list[tuple[str, str, str]]) -> tuple[int, list[Difference]]:
    """How many numbers were computed again, and those that differ from the tables."""
    count, found = 0, []
    for method, name in sorted({(method, name) for method, name, _ in chosen}):
        ids = {id for m, s, id in chosen if (m, s) == (method, name)}
        rows = {
            (row["id"], int(row["source"])): row
            for row in io.read_table(layout.scores(method, name))
        }
        for outcome in outcomes(params, method, name, only=ids):
            given = (params.fs, params.score.sdr_taps, params.score.pesq)
            measured = measure(outcome.est, outcome.ref, *given, outcome.early)
            for source, values in enumerate(measured):
                row = rows[outcome.info["id"], source]
                for metric in COLUMNS:
                    table = float(row[metric] or math.nan)
                    count += 1
                    if not _same(table, values[metric]):
                        place = (method, name, outcome.info["id"], source, metric)
                        found.append(Difference(*place, table, values[metric]))
    return count, found


def _same(a: float, b: float) -> bool:
    if math.isfinite(a) and math.isfinite(b):
        return abs(a - b) <= TOLERANCE
    return a == b or (math.isnan(a) and math.isnan(b))
