"""Fake but plausible result tables, made from a seed, in the stages' own formats."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ssml.config import layout, params, sections
from ssml.evaluation.metrics import COLUMNS as METRICS
from ssml.evaluation.outcomes import CONDITIONS
from ssml.files import io, provenance
from ssml.report import claims, page, pictures, results
from ssml.report import tables as summaries

DIGESTS = {"Parameters": "0123456789abcdef"}

SCORES = ("id", "source", *METRICS, "failure", *CONDITIONS)
CURVES = ("id", "iteration", "si_sdr")
COUNTS = ("hits", "substitutions", "deletions", "insertions")
ASSIGNED = ("assigned", *(f"assigned_{name}" for name in COUNTS))
TRANSCRIPTS = ("id", "source", "reference", "hypothesis", *COUNTS, "nothing", "loop", *ASSIGNED)
HISTORY = ("step", "loss", "grad_norm", "si_sdr", "skipped")

# the mean SI-SDR on two speakers in dB, and the word error rate, of each source model
SI_SDR = {"mixture": -0.2, "laplace": 2.0, "gauss": 1.2, "nmf": 1.6, "other": 3.0}
SI_SDR |= {"learned-sdr": 5.5, "learned-coherence": 5.0}
WER = {"mixture": 0.75, "laplace": 0.5, "gauss": 0.55, "nmf": 0.52, "other": 0.5}
WER |= {"learned-sdr": 0.36, "learned-coherence": 0.26, "reference": 0.08}
SPEED = {"learned-sdr": 2.0, "learned-coherence": 5.0}  # iterations, of the exponential approach


def settings(mixtures: int = 30, sets: Sequence[str] = (), **report: Any) -> params.Params:
    """The default params with `mixtures` a test set, of all sets or some."""
    values = yaml.safe_load((Path(__file__).parent / "params.yaml").read_text())
    values["report"] |= report
    values["separate"]["sets"] = list(sets) or values["separate"]["sets"]
    for name in values["separate"]["sets"]:
        values["scenes"]["sets"][name]["mixtures"] = mixtures
    return params.parse(values)


def write_runs(root: Path, found: results.Results) -> None:
    """Write the file of the runs that the page shows, one a method."""
    about = {"experiment": "1", "commit": "", "began": "", "seconds": 2}
    runs = [
        about | {"name": name, "job": f"evaluate:{name}", "id": f"{k:012}"}
        for k, name in enumerate(["mixture", *found.methods])
    ]
    io.write_text(root / layout.RUNS, f"window.SSML_RUNS = {json.dumps(runs)};")


def write(
    root: Path,
    chosen: params.Params,
    si_sdr: Mapping[str, float] = SI_SDR,
    wer: Mapping[str, float] = WER,
    speed: Mapping[str, float] = SPEED,
) -> None:
    """Write every table that the report reads below `root`."""
    methods = {name: method.model for name, method in chosen.separate.methods.items()}
    for test_set in chosen.separate.sets:
        scene = chosen.scenes.sets[test_set]
        for name, model in {"mixture": "mixture", **methods}.items():
            mean = si_sdr.get(model, si_sdr["other"])
            method = chosen.separate.methods.get(name)
            n = (method and method.mixtures) or scene.mixtures
            rows = _scores(test_set, name, mean, n, scene.speakers)
            io.write_table(root / f"results/scores/{name}/{test_set}.csv", rows, SCORES)
            if name != "mixture":
                rows = _curves(rows, speed.get(model, 7.0))
                io.write_table(root / f"results/curves/{name}/{test_set}.csv", rows, CURVES)
        for name, model in {"mixture": "mixture", **methods, "reference": "reference"}.items():
            method = chosen.separate.methods.get(name)
            n = min(chosen.transcribe.mixtures, (method and method.mixtures) or scene.mixtures)
            if n:
                rate = wer.get(model, wer["other"])
                rows = _transcripts(test_set, name, rate, n, scene.speakers)
                io.write_table(
                    root / f"results/transcripts/{name}/{test_set}.csv", rows, TRANSCRIPTS
                )
    for name, variant in chosen.train.variants.items():
        _training(root, name, variant)


def edit(path: Path, change: Callable[[list[dict[str, str]]], None]) -> None:
    """Let `change` alter the rows of a table in place."""
    rows = io.read_table(path)
    columns = list(rows[0])
    change(rows)
    io.write_table(path, rows, columns)


def _scores(test_set: str, method: str, mean: float, n: int, speakers: int) -> list[dict[str, Any]]:
    shared = provenance.generator(3, "scene", test_set)  # how hard a mixture is, the same for all
    own = provenance.generator(3, "scores", test_set, method)
    rows = []
    for mixture in range(n):
        t60 = shared.uniform(0.2, 0.6)
        ease = shared.normal(0, 1.5) - 8 * (t60 - 0.4) - 2 * (speakers - 2)
        for source in range(speakers):
            si_sdr = mean + ease + shared.normal(0, 1) + own.normal(0, 0.8)
            rows.append(
                dict(
                    zip(
                        SCORES,
                        (f"{test_set}-{mixture:05d}", source, si_sdr, si_sdr + 1.5),
                        strict=False,
                    )
                )
                | {"sir": si_sdr + 6, "sar": si_sdr + 4, "stoi": 0.6 + 0.03 * si_sdr, "failure": ""}
                | {"t60": t60, "overlap": 0.5 + t60, "distance": 1 + t60, "level": -t60 * source}
                | {
                    "snr": 20.0,
                    "speaker": f"s{(mixture + source) % 8}",
                    "sex": "FM"[source * mixture % 2],
                }
            )
    return rows


def _curves(rows: list[dict[str, Any]], speed: float, iterations: int = 20) -> list[dict[str, Any]]:
    final: dict[str, list[float]] = {}
    for row in rows:
        final.setdefault(row["id"], []).append(row["si_sdr"])
    t = np.arange(iterations + 1)
    shape = (1 - np.exp(-t / speed)) / (1 - np.exp(-iterations / speed))
    return [
        {"id": id, "iteration": int(i), "si_sdr": start + (np.mean(ends) - start) * shape[i]}
        for id, ends in final.items()
        for start in [min(float(np.mean(ends)), 2.0) - 3.0]
        for i in t
    ]


def _transcripts(test_set: str, method: str, rate: float, n: int, k: int) -> list[dict[str, Any]]:
    own = provenance.generator(3, "words", test_set, method)
    rows = []
    for mixture in range(n):
        for source in range(k):
            words = int(provenance.generator(3, test_set, mixture, source).integers(8, 16))
            wrong = int(own.binomial(words, min(1.0, rate + 0.05 * (k - 2))))
            deletions = int(own.integers(0, wrong + 1))
            counts = (
                words - wrong,
                wrong - deletions,
                deletions,
                int(own.integers(0, 2)) * (rate > 0.3),
            )
            rows.append(
                {
                    "id": f"{test_set}-{mixture:05d}",
                    "source": source,
                    "reference": "A",
                    "hypothesis": "B",
                }
                | dict(zip(COUNTS, counts, strict=True))
                | {"nothing": int(counts[2] == words), "loop": 0}
                | dict(zip(ASSIGNED, (source, *counts), strict=True))
            )
    return rows


def _training(root: Path, name: str, variant: sections.VariantParams) -> None:
    own = provenance.generator(3, "training", name)
    rows = []
    for step in range(1, variant.steps + 1):
        level = 1 - np.exp(-step / 120)
        valid = step % variant.validate_every == 0
        loss = -5 * level if variant.loss == "sdr" else 0.75 - 0.25 * level
        scale = 2 if variant.loss == "sdr" else 0.05
        rows.append(
            {"step": step, "loss": loss + scale * own.normal(), "grad_norm": 30 * own.lognormal()}
            | {"si_sdr": -1 + 6 * level + 0.1 * own.normal() if valid else ""}
            | {"skipped": 1 if step > 200 else 0}
        )
    io.write_table(root / f"models/{name}.history.csv", rows, HISTORY)
    card = variant.model_dump(mode="json") | {"parameters": 400_000, "dev_si_sdr": 4.7}
    io.write_json(root / f"models/{name}.json", card)


def read_with(root: Path, **tables: Mapping[str, float]) -> results.Results:
    """Results of tables made with other numbers."""
    chosen = settings()
    write(root, chosen, **tables)
    return results.read(chosen, root)


def html(found: results.Results, plates: list[pictures.Plate] | None = None) -> str:
    """The page, with the figures given; `None`: with all, drawn for it, which takes seconds."""
    rows = summaries.summarise(found)
    plates = pictures.plates(found, rows) if plates is None else plates
    return page.render(found, rows, claims.claims(found), plates, DIGESTS)
