"""Which figures the report holds, and what each says in words."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ssml.config.layout import MIXTURE
from ssml.evaluation.statistics import Interval, mean_band

from . import figures, styles
from .focus import baseline, prominent
from .results import Array, Results
from .rivals import best_classical
from .styles import Style
from .tables import Row

HERE = Path(__file__).parent


class Picture(NamedTuple):
    """A figure: its file's stem, how it looks, and its content in words for who cannot see it."""

    name: str
    drawing: figures.Drawing
    alt: str

    @property
    def inline(self) -> str:
        """The SVG for a page that holds several: ids of its own, a name for readers, no legend."""
        text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{self.name}-", self.drawing.bare)
        return text.replace("<svg ", f'<svg role="img" aria-labelledby="alt-{self.name}" ', 1)


class Plate(NamedTuple):
    """Pictures side by side under one heading, with the caption that explains them."""

    title: str
    kind: str  # of its pictures: the first part of their names, and the caption's file
    pictures: list[Picture]

    @property
    def caption(self) -> str:
        return (HERE / f"{self.kind}.rst").read_text().strip()


def plates(results: Results, rows: list[Row]) -> list[Plate]:
    """All plates in the order of the page."""
    look = styles.of(results)
    return [
        _convergence(results, look),
        *_intervals(results, rows, look),
        _reverberation(results, look),
        _scatter(results, look),
        _training(results, look),
    ]


def _number(value: float) -> str:
    return f"{value:.1f}" if np.isfinite(value) else "unknown"


def _title(results: Results, test_set: str) -> str:
    return f"{test_set}: {results.speakers(test_set)} speakers"


def _convergence(results: Results, look: dict[str, Style]) -> Plate:
    bands, at = {}, {}
    for test_set in results.sets:
        curves = {name: results.curves[name, test_set] for name in results.on(test_set)}
        at[test_set] = {name: curve.at for name, curve in curves.items()}
        bands[test_set] = {name: mean_band(*results.curves_of(name, test_set)) for name in curves}
    edges = [x for found in bands.values() for b in found.values() for x in (*b.low, *b.high)]
    edges += [x for found in bands.values() for band in found.values() for x in band.mean]
    pictures = []
    for test_set, found in bands.items():
        svg = figures.convergence(
            *(_title(results, test_set), at[test_set], found, look, figures.limits(edges)),
            main=prominent(results),
        )
        ends = [f"{n} {_number(b.mean[0])} to {_number(b.mean[-1])} dB" for n, b in found.items()]
        pictures.append(Picture(f"convergence-{test_set}", svg, f"{test_set}: {'; '.join(ends)}."))
    return Plate("SI-SDR against iterations", "convergence", pictures)


def _intervals(results: Results, rows: list[Row], look: dict[str, Style]) -> list[Plate]:
    plates = []
    for metric, kind, label, scale, step in (
        ("si_sdr", "si-sdr", "SI-SDR (dB)", 1, 1.0),
        ("wer_capped", "wer", "Capped word error rate (%)", 100, 10.0),
    ):
        found: dict[str, dict[str, Interval]] = {}
        for row in rows:
            interval = getattr(row, metric)
            if interval:
                found.setdefault(row.test_set, {})[row.method] = interval.scaled(scale)
        if not found:
            continue
        edges = figures.limits([x for f in found.values() for i in f.values() for x in i[:3]], step)
        pictures = []
        for test_set, values in found.items():
            svg = figures.intervals(_title(results, test_set), values, look, label, edges)
            said = "; ".join(
                f"{name} {_number(interval.mean)}" for name, interval in values.items()
            )
            pictures.append(Picture(f"{kind}-{test_set}", svg, f"{label}: {said}."))
        plates.append(Plate(f"{label.split(' (')[0]} of every method", kind, pictures))
    return plates


def _reverberation(results: Results, look: dict[str, Style]) -> Plate:
    report = results.params.report
    named = [MIXTURE, baseline(results), report.learned_sdr, report.learned_coherence]
    names = list(dict.fromkeys(named))
    points = {
        test_set: {
            name: _t60_and_si_sdr(results, name, test_set)
            for name in names
            if (name, test_set) in results.scores
        }
        for test_set in results.sets
    }
    edges = figures.limits([v for found in points.values() for xy in found.values() for v in xy[1]])
    labels = ("Measured T60 (s)", "SI-SDR (dB)")
    pictures = [
        Picture(
            f"t60-{test_set}",
            figures.against(_title(results, test_set), found, look, labels, edges),
            f"{test_set}: SI-SDR of each mixture against its T60, for {', '.join(found)}.",
        )
        for test_set, found in points.items()
    ]
    return Plate("SI-SDR against reverberation", "t60", pictures)


def _t60_and_si_sdr(results: Results, method: str, test_set: str) -> tuple[Array, Array]:
    columns = results.scores[method, test_set].columns
    return columns["t60"], columns["si_sdr"]


def _scatter(results: Results, look: dict[str, Style]) -> Plate:
    b, pictures = results.params.report.learned_sdr, []
    for test_set in results.sets:
        a = best_classical(results, test_set) or results.params.report.classical
        x, y = (results.scores[name, test_set].columns["si_sdr"] for name in (a, b))
        x, y = x[: len(y)], y[: len(x)]  # one may have been run on the first mixtures alone
        labels = (f"{a}, SI-SDR (dB)", f"{b}, SI-SDR (dB)")
        svg = figures.scatter(_title(results, test_set), x, y, labels, (look[a], look[b]))
        said = f"{test_set}: {b} is above {a} on {int(np.sum(y > x))} of {len(x)} mixtures."
        pictures.append(Picture(f"scatter-{test_set}", svg, said))
    return Plate("Mixture by mixture", "scatter", pictures)


def _training(results: Results, look: dict[str, Style]) -> Plate:
    models = {method.model: look[name].colour for name, method in results.methods.items()}
    pictures = []
    for name, history in results.histories.items():
        svg = figures.training(name, history.step, history.loss, history.si_sdr, models[name])
        measured = history.si_sdr[np.isfinite(history.si_sdr)]
        said = f"{name}: {len(history.step)} steps"
        if len(measured):
            said += f", dev SI-SDR from {_number(measured[0])} to {_number(measured[-1])} dB"
        pictures.append(Picture(f"training-{name}", svg, said + "."))
    return Plate("Training", "training", pictures)
