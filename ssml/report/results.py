"""Every table that the stages before wrote, read once and checked against each other."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import io, layout
from ..errors import UserError
from ..params import MethodParams, Params
from ..statistics import Counts, Values

Array = NDArray[np.float64]
Key = tuple[str, str]  # (method, set)

METRICS = ("si_sdr", "sdr")  # dB
CONDITIONS = ("t60",)  # one value a mixture, repeated for each source


class Scores(NamedTuple):
    """The mixtures of one method on one set; nan in every metric where it failed."""

    ids: list[str]
    columns: dict[str, Array]  # metric or condition -> (mixtures,), mean over the sources
    failures: int  # mixtures with an SI-SDR or SDR that is no finite number

    def values(self, metric: str) -> Values:
        """The metric by mixture id."""
        return dict(zip(self.ids, self.columns[metric].tolist(), strict=True))


class History(NamedTuple):
    """A training: one entry a step, nan between validations in `si_sdr`."""

    step: Array
    loss: Array
    si_sdr: Array  # dB, on the dev set
    skipped: Array  # non-finite steps so far


@dataclass(frozen=True)
class Results:
    """All that the report shows; `variants` are the trainings that some method uses."""

    params: Params
    scores: dict[Key, Scores]
    curves: dict[Key, Array]  # SI-SDR, dB, (mixtures, iterations + 1); all nan where it failed
    transcripts: dict[Key, Counts]
    histories: dict[str, History]
    models: dict[str, dict[str, Any]]

    @property
    def methods(self) -> dict[str, MethodParams]:
        return self.params.separate.methods

    @property
    def sets(self) -> list[str]:
        return self.params.separate.sets

    def speakers(self, name: str) -> int:
        """How many speakers a mixture of the set `name` has."""
        return self.params.scenes.sets[name].speakers

    def learned(self, method: str) -> bool:
        """Whether a method's model was trained: a variant, or the path of a checkpoint."""
        model = self.methods[method].model
        return model in self.params.train.variants or "/" in model or "." in model


def read(params: Params, root: Path | str = ".") -> Results:
    """Read the tables below `root`; a `UserError` names the first that is missing or unfit."""
    methods, sets, root = list(params.separate.methods), params.separate.sets, Path(root)
    scores = {
        (method, name): _scores(root / layout.scores(method, name))
        for name in sets
        for method in [layout.MIXTURE, *methods]
    }
    for (method, name), found in scores.items():
        if found.ids != scores[layout.MIXTURE, name].ids:
            raise UserError(
                f"{root / layout.scores(method, name)}: its mixtures are not those of "
                f"{layout.scores(layout.MIXTURE, name)}; score both again: "
                "snakemake --cores all -R score"
            )
    used = {method.model for method in params.separate.methods.values()}
    variants = [name for name in params.train.variants if name in used]
    return Results(
        params=params,
        scores=scores,
        curves={
            (method, name): _curves(root / layout.curves(method, name), scores[method, name].ids)
            for name in sets
            for method in methods
        },
        transcripts={
            (method, name): _transcripts(root / layout.transcripts(method, name))
            for name in sets
            for method in _transcribed(params)
        },
        histories={name: _history(root / layout.history(name)) for name in variants},
        models={
            name: io.read_json((root / layout.model(name)).with_suffix(".json"))
            for name in variants
        },
    )


def _transcribed(params: Params) -> list[str]:
    if params.transcribe.mixtures == 0:
        return []
    chosen = params.transcribe.methods
    methods = list(params.separate.methods) if chosen == "all" else chosen
    return [layout.MIXTURE, *methods, layout.REFERENCE]


def _table(path: Path, columns: Iterable[str]) -> list[dict[str, str]]:
    rows = io.read_table(path)
    if not rows:
        raise UserError(f"{path}: holds no rows; delete it and run again")
    missing = [name for name in columns if name not in rows[0]]
    if missing:
        raise UserError(f"{path}: lacks the columns {', '.join(missing)}; delete it and run again")
    return rows


def _number(path: Path, text: str | None) -> float:
    """A cell's number; an empty cell is nan."""
    try:
        return float(text) if text else math.nan
    except ValueError:
        raise UserError(f"{path}: '{text}' is no number; delete it and run again") from None


def _integer(path: Path, text: str | None) -> int:
    try:
        return int(text or "")
    except ValueError:
        raise UserError(f"{path}: '{text}' is no integer; delete it and run again") from None


def _scores(path: Path) -> Scores:
    rows = _table(path, ["id", "source", *METRICS, *CONDITIONS])
    by_id: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_id.setdefault(row["id"], []).append(row)
    ids = sorted(by_id)
    columns = {
        name: np.array(
            [np.mean([_number(path, row[name]) for row in by_id[id]]) for id in ids], float
        )
        for name in (*METRICS, *CONDITIONS)
    }
    # one bad source spoils its mixture: a mean over the others would flatter the method
    failed = ~(np.isfinite(columns["si_sdr"]) & np.isfinite(columns["sdr"]))
    for name in METRICS:
        columns[name][failed | ~np.isfinite(columns[name])] = np.nan
    return Scores(ids, columns, int(failed.sum()))


def _curves(path: Path, ids: list[str]) -> Array:
    by_id: dict[str, dict[int, float]] = {}
    for row in _table(path, ["id", "iteration", "si_sdr"]):
        iteration = _integer(path, row["iteration"])
        by_id.setdefault(row["id"], {})[iteration] = _number(path, row["si_sdr"])
    if sorted(by_id) != ids:
        raise UserError(f"{path}: its mixtures are not those of the scores; score both again")
    last = max(max(curve) for curve in by_id.values())
    table = np.array([[by_id[id].get(i, math.nan) for i in range(last + 1)] for id in ids])
    # a mixture that fails half-way would make the mean jump where it leaves
    table[~np.isfinite(table).all(axis=1)] = np.nan
    return table


def _transcripts(path: Path) -> Counts:
    kinds = ("hits", "substitutions", "deletions", "insertions")
    rows = _table(path, ["id", *kinds])
    counts: dict[str, tuple[int, int]] = {}
    for row in rows:
        hits, substitutions, deletions, insertions = (_integer(path, row[kind]) for kind in kinds)
        errors, words = counts.get(row["id"], (0, 0))
        counts[row["id"]] = (
            errors + substitutions + deletions + insertions,
            words + hits + substitutions + deletions,
        )
    return counts


def _history(path: Path) -> History:
    rows = _table(path, History._fields)
    return History(
        *(np.array([_number(path, row[name]) for row in rows]) for name in History._fields)
    )
