"""Every table that the stages before wrote, read once and checked against each other."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssml.config import layout
from ssml.config.params import Params
from ssml.config.sections import MethodParams
from ssml.evaluation.asr.words import WordErrors
from ssml.evaluation.metrics import COLUMNS as METRICS
from ssml.evaluation.statistics import Speakers, Values
from ssml.files import io
from ssml.files.errors import UserError

from .transcripts import Text, Transcripts

Array = NDArray[np.float64]
MIXTURE = layout.MIXTURE
Key = tuple[str, str]  # (method, set)

# of a mixture, from those of its sources: repeated, repeated, mean, spread
CONDITIONS: dict[str, Callable[[Array], np.floating]] = {
    "t60": np.mean,
    "overlap": np.mean,
    "distance": np.mean,
    "level": np.ptp,
}
COUNTS = WordErrors._fields


class Scores(NamedTuple):
    """The mixtures of one method on one set; nan in every metric where it failed."""

    ids: list[str]
    columns: dict[str, Array]  # metric -> (mixtures,), mean over the sources; or condition
    sexes: list[str]  # of each mixture: `FM`, `FF`, sorted
    speakers: dict[str, tuple[str, ...]]  # mixture -> who talks
    sources: dict[str, list[float]]  # mixture -> SI-SDR of each source, dB
    failed: list[str]  # of each mixture: '' or what is wrong with it: `silent`, `not finite`

    @property
    def failures(self) -> int:
        return sum(map(bool, self.failed))

    def values(self, metric: str) -> Values:
        """The metric by mixture id."""
        return dict(zip(self.ids, self.columns[metric].tolist(), strict=True))


class History(NamedTuple):
    """A training: one entry a step, nan between validations in `si_sdr`."""

    step: Array
    loss: Array
    si_sdr: Array  # dB, on the dev set
    skipped: Array  # non-finite steps so far


class Curve(NamedTuple):
    """SI-SDR in dB after some of the iterations, 0 being the mixture."""

    at: Array  # (I,) iterations, rising
    values: Array  # (mixtures, I); all nan where it failed


@dataclass(frozen=True)
class Results:
    """All that the report shows; `variants` are the trainings that some method uses."""

    params: Params
    scores: dict[Key, Scores]
    curves: dict[Key, Curve]
    transcripts: dict[Key, Transcripts]
    histories: dict[str, History]
    models: dict[str, dict[str, Any]]

    @property
    def methods(self) -> dict[str, MethodParams]:
        """All methods, but for those that repeat another with a training of another seed."""
        return {n: m for n, m in self.params.separate.methods.items() if not m.repeats}

    def on(self, test_set: str) -> list[str]:
        """Those of `methods` that were tested on a set."""
        return [name for name in self.params.on(test_set) if name in self.methods]

    def trainings(self, method: str) -> list[str]:
        """The method and those that repeat it, in the order of their seeds."""
        known = self.params.separate.methods
        return [method, *(name for name, other in known.items() if other.repeats == method)]

    def curves_of(self, method: str, test_set: str) -> tuple[Array, list[tuple[str, ...]]]:
        """SI-SDR in dB (trainings, mixtures, iterations), and who talks in each mixture."""
        values = np.stack([self.curves[n, test_set].values for n in self.trainings(method)])
        found = self.scores[MIXTURE, test_set]
        return values, [found.speakers[id] for id in found.ids]

    def talkers(self, test_set: str) -> Speakers:
        """Who talks in each mixture of a set."""
        return self.scores[MIXTURE, test_set].speakers

    @property
    def sets(self) -> list[str]:
        return self.params.separate.sets

    def speakers(self, name: str) -> int:
        """How many speakers a mixture of the set `name` has."""
        return self.params.scenes.sets[name].speakers

    def learned(self, method: str) -> bool:
        """Whether a method's model was trained: a variant, or the path of a checkpoint."""
        chosen = self.methods[method]
        return chosen.model in self.params.train.variants or chosen.is_path


def read(params: Params, root: Path | str = ".") -> Results:
    """Read the tables below `root`; a `UserError` names the first that is missing or unfit."""
    methods, sets, root = params.separate.methods, params.separate.sets, Path(root)
    scores = {
        (method, name): _scores(root / layout.scores(method, name))
        for name in sets
        for method in [layout.MIXTURE, *params.on(name)]
    }
    for (method, name), found in scores.items():
        limit = methods[method].mixtures if method in methods else None
        if found.ids != scores[layout.MIXTURE, name].ids[:limit]:
            raise UserError(
                f"{root / layout.scores(method, name)}: its mixtures are not those of "
                f"{layout.scores(layout.MIXTURE, name)}; score both again: "
                "snakemake --cores all -R score"
            )
    used = {m.model for m in params.separate.methods.values() if not m.repeats}
    variants = [name for name in params.train.variants if name in used]
    return Results(
        params=params,
        scores=scores,
        curves={
            (method, name): _curve(
                root / layout.curves(method, name),
                scores[method, name].ids,
                len(scores[layout.MIXTURE, name].ids),
            )
            for name in sets
            for method in params.on(name)
        },
        transcripts={
            (method, name): _transcripts(root / layout.transcripts(method, name))
            for name in params.transcribed_sets
            for method in _transcribed_methods(params, name)
        },
        histories={name: _history(root / layout.history(name)) for name in variants},
        models={
            name: io.read_json((root / layout.model(name)).with_suffix(".json"))
            for name in variants
        },
    )


def _transcribed_methods(params: Params, test_set: str) -> list[str]:
    chosen = params.transcribe.methods
    methods = params.on(test_set) if chosen == "all" else chosen
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
    rows = _table(path, ["id", "source", "failure", "speaker", "sex", *METRICS, *CONDITIONS])
    by_id: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_id.setdefault(row["id"], []).append(row)
    ids = sorted(by_id)
    pool: dict[str, Callable[[Array], np.floating]] = dict.fromkeys(METRICS, np.mean) | CONDITIONS
    columns = {
        name: np.array(
            [of(np.array([_number(path, row[name]) for row in by_id[id]])) for id in ids], float
        )
        for name, of in pool.items()
    }
    # one bad source spoils its mixture: a mean over the others would flatter the method
    finite = np.isfinite(columns["si_sdr"]) & np.isfinite(columns["sdr"])
    failed = [
        by_id[id][0]["failure"] or ("" if good else "not finite")
        for id, good in zip(ids, finite, strict=True)
    ]
    for name in METRICS:
        columns[name][[bool(kind) for kind in failed]] = np.nan
        columns[name][~np.isfinite(columns[name])] = np.nan
    sexes = ["".join(sorted(row["sex"] for row in by_id[id])) for id in ids]
    sources = {id: [_number(path, row["si_sdr"]) for row in by_id[id]] for id in ids}
    speakers = {id: tuple(row["speaker"] for row in by_id[id]) for id in ids}
    return Scores(ids, columns, sexes, speakers, sources, failed)


def _curve(path: Path, ids: list[str], mixtures: int) -> Curve:
    """Of the first `ids` of `mixtures`; the rest are nan."""
    by_id: dict[str, dict[int, float]] = {}
    for row in _table(path, ["id", "iteration", "si_sdr"]):
        iteration = _integer(path, row["iteration"])
        by_id.setdefault(row["id"], {})[iteration] = _number(path, row["si_sdr"])
    if sorted(by_id) != ids:
        raise UserError(f"{path}: its mixtures are not those of the scores; score both again")
    at = sorted(set().union(*by_id.values()))
    table = np.full((mixtures, len(at)), math.nan)
    table[: len(ids)] = [[by_id[id].get(i, math.nan) for i in at] for id in ids]
    # a mixture that fails half-way would make the mean jump where it leaves
    table[~np.isfinite(table).all(axis=1)] = np.nan
    return Curve(np.array(at, float), table)


def _transcripts(path: Path) -> Transcripts:
    assigned = [f"assigned_{name}" for name in COUNTS]
    kinds = ("nothing", "loop")
    texts: dict[str, list[Text]] = {}
    columns = ["id", "source", "reference", "hypothesis", *COUNTS, *assigned, *kinds]
    for row in _table(path, columns):
        errors, fewest = (
            WordErrors(*(_integer(path, row[name]) for name in names))
            for names in (COUNTS, assigned)
        )
        nothing, loop = (bool(_integer(path, row[name])) for name in kinds)
        source, said, heard = _integer(path, row["source"]), row["reference"], row["hypothesis"]
        text = Text(source, said, heard, errors, fewest, nothing, loop)
        texts.setdefault(row["id"], []).append(text)
    return Transcripts(texts)


def _history(path: Path) -> History:
    rows = _table(path, History._fields)
    return History(
        *(np.array([_number(path, row[name]) for row in rows]) for name in History._fields)
    )
