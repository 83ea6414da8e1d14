"""Plots as SVG for pages and PDF for papers. This and `spectrograms` import matplotlib.

Methods look as `styles` says. Ink is `currentColor`, so that an inlined figure takes the page's,
dark or light.
"""

import io
import re
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ssml.evaluation.statistics import Band, Interval

from .styles import INK, Style

Array = NDArray[np.float64]

WIDTH, HEIGHT = 3.7, 3.0  # inches: what a phone's width holds with its letters as they are
ENTRY = 0.19  # inches that each line of a legend takes
LONG = 40  # iterations, from which the axis is quadratic
SMALLEST = 9.0  # points, 12 pixels of a page: no letter is smaller

SETTINGS: Any = {
    "svg.hashsalt": "ssml",
    "svg.fonttype": "path",  # the same shapes whatever fonts a machine has
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": SMALLEST,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": INK,
    "grid.alpha": 0.12,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": SMALLEST,
    "legend.handlelength": 2.6,
    "lines.linewidth": 1.7,
    "lines.markersize": 4.5,
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor"), INK),
    **dict.fromkeys(("xtick.color", "ytick.color"), INK),
}


class Drawing:
    """A figure in formats that depend on its content only, each made when it is asked for."""

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        plt.close(figure)  # pyplot need not remember it

    @cached_property
    def svg(self) -> str:
        """A file, and an element for a page, in the page's ink."""
        return self._svg()

    @cached_property
    def bare(self) -> str:
        """The element without its legend, for a page that has one legend for all figures."""
        figure, legends = self.figure, self.figure.legends
        width, height = figure.get_size_inches()
        figure.legends = []
        figure.set_size_inches(width, height - sum(len(x.get_texts()) for x in legends) * ENTRY)
        try:
            return self._svg()
        finally:
            figure.legends = legends
            figure.set_size_inches(width, height)

    def _svg(self) -> str:
        buffer = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        with plt.rc_context(SETTINGS):
            self.figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
        svg = buffer.getvalue()
        svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
        svg = re.sub(r"\s*<!--.*?-->", "", svg, flags=re.DOTALL)
        return re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL).strip() + "\n"

    @cached_property
    def pdf(self) -> bytes:
        """A file for a paper."""
        buffer = io.BytesIO()
        undated = dict.fromkeys(("CreationDate", "Creator", "Producer"))
        with plt.rc_context(SETTINGS):
            self.figure.savefig(buffer, format="pdf", transparent=True, metadata=undated)
        return buffer.getvalue()


def convergence(
    title: str,
    at: Mapping[str, Array],
    bands: Mapping[str, Band],
    look: Mapping[str, Style],
    limits: tuple[float, float],
    main: Collection[str],
) -> Drawing:
    """SI-SDR in dB against the iterations `at` (I,): the mean (I,) of each method.

    Those in `main` have a band and markers, the others a thin line.
    """
    with plt.rc_context(SETTINGS):
        figure, axes = _axes(title, "Iterations", "SI-SDR (dB)", legend=len(bands))
        for name, band in bands.items():
            style, steps = look[name], at[name]
            drawn: Any = {"color": style.colour, "linestyle": style.dash, "label": name}
            if name not in main:
                axes.plot(steps, band.mean, lw=0.7, alpha=0.7, zorder=1, **drawn)
                continue
            axes.fill_between(steps, band.low, band.high, color=style.colour, alpha=0.13, lw=0)
            every = max(1, len(steps) // 5)
            axes.plot(steps, band.mean, marker=style.marker, markevery=every, **drawn)
        axes.set_ylim(*limits)
        axes.margins(x=0.02)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        longest = max((steps[-1] for steps in at.values()), default=0)
        if longest > LONG:  # the first iterations, where all happens, get room
            axes.set_xscale("function", functions=(_root, np.square))
            axes.set_xticks([x for x in (0, 5, 20, 50, 100, 200, 500, 1000) if x <= longest])
        _legend(figure, axes)
        return Drawing(figure)


def intervals(
    title: str,
    values: Mapping[str, Interval],
    look: Mapping[str, Style],
    label: str,
    limits: tuple[float, float],
) -> Drawing:
    """A point and its interval for each method, the first on top; the numbers stand beside them."""
    with plt.rc_context(SETTINGS):
        figure, axes = _axes(title, label, "", rows=len(values))
        for row, (name, interval) in enumerate(values.items()):
            style = look[name]
            if not np.isfinite(interval.mean):
                continue
            axes.plot([interval.low, interval.high], [row, row], color=style.colour, lw=2.2)
            axes.plot(interval.mean, row, color=style.colour, marker=style.marker, markersize=6.5)
        axes.set_yticks(range(len(values)), list(values))
        axes.set_ylim(len(values) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.set_xlim(*limits)
        if limits[0] < 0 < limits[1]:
            axes.axvline(0, color=INK, lw=0.8, alpha=0.5)
        return Drawing(figure)


def against(
    title: str,
    points: Mapping[str, tuple[Array, Array]],
    look: Mapping[str, Style],
    labels: tuple[str, str],
    limits: tuple[float, float],
    bins: int = 5,
) -> Drawing:
    """Mixtures as points (x, y) and each method's mean in `bins` equally filled bins of x."""
    with plt.rc_context(SETTINGS):
        figure, axes = _axes(title, *labels, legend=len(points))
        for name, (x, y) in points.items():
            style, valid = look[name], np.isfinite(x) & np.isfinite(y)
            order = np.argsort(x[valid], kind="stable")
            x, y = x[valid][order], y[valid][order]
            axes.scatter(x, y, s=11, c=style.colour, marker=style.marker, alpha=0.4)
            parts = [part for part in np.array_split(np.arange(len(x)), bins) if len(part)]
            axes.plot(
                [x[part].mean() for part in parts],
                [y[part].mean() for part in parts],
                color=style.colour,
                linestyle=style.dash,
                marker=style.marker,
                label=name,
            )
        axes.set_ylim(*limits)
        _legend(figure, axes)
        return Drawing(figure)


def scatter(
    title: str, x: Array, y: Array, labels: tuple[str, str], look: tuple[Style, Style]
) -> Drawing:
    """One method against another, mixture by mixture; above the diagonal `y` is the better."""
    with plt.rc_context(SETTINGS):
        figure, axes = _axes(title, *labels)
        valid = np.isfinite(x) & np.isfinite(y)
        x, y = x[valid], y[valid]
        both = np.concatenate([x, y]) if len(x) else np.array([0.0, 1.0])
        limits = both.min() - 1, both.max() + 1
        axes.plot(limits, limits, color=INK, lw=0.9, alpha=0.6)
        for side, style in ((y > x, look[1]), (y <= x, look[0])):
            axes.scatter(
                *(x[side], y[side]), s=24, c=style.colour, marker=style.marker, alpha=0.75, lw=0
            )
        axes.set(xlim=limits, ylim=limits, aspect="equal")
        ticks = axes.get_yticks()
        axes.set_xticks(ticks)
        axes.set(xlim=limits, ylim=limits)
        axes.set_title(f"{title}, {int((y > x).sum())} of {len(x)} above")
        return Drawing(figure)


def training(
    title: str, steps: Array, loss: Array, validation: Array, colour: str, window: int = 25
) -> Drawing:
    """The training loss (thin: each step, thick: running median) and the dev set's SI-SDR below."""
    with plt.rc_context(SETTINGS):
        figure, (above, below) = plt.subplots(
            2, 1, figsize=(WIDTH, HEIGHT), sharex=True, layout="constrained"
        )
        finite = np.isfinite(loss)
        x, y = steps[finite], loss[finite]
        above.set_title(title)
        above.plot(x, y, color=colour, lw=0.6, alpha=0.35)
        above.plot(x, _running_median(y, window), color=colour)
        if len(y):  # a few wild steps must not flatten the rest
            low, high = np.quantile(y, [0.01, 0.99])
            pad = 0.08 * (high - low) + 1e-9
            above.set_ylim(low - pad, high + pad)
        above.set_ylabel("Training loss")
        measured = np.isfinite(validation)
        below.plot(steps[measured], validation[measured], color=colour, marker="o")
        below.set(xlabel="Step", ylabel="Dev SI-SDR (dB)")
        figure.align_ylabels()
        return Drawing(figure)


def limits(values: Sequence[float], step: float = 1.0) -> tuple[float, float]:
    """Common axis limits around the finite `values`, at multiples of `step`."""
    finite = [value for value in values if np.isfinite(value)] or [0.0]
    low = step * np.floor(min(finite) / step - 0.25)
    high = step * np.ceil(max(finite) / step + 0.25)
    return float(low), float(high)


def _root(values: Array) -> Array:
    return np.sqrt(np.maximum(values, 0))


def _running_median(values: Array, window: int) -> Array:
    half = window // 2
    return np.array(
        [np.median(values[max(0, i - half) : i + half + 1]) for i in range(len(values))]
    )


def _axes(title: str, x: str, y: str, legend: int = 0, rows: int = 0) -> tuple[Figure, Axes]:
    """Axes with room for a legend of `legend` entries, or for `rows` rows with their names."""
    size = (1.3 * WIDTH, 1.0 + 0.27 * rows) if rows else (WIDTH, HEIGHT + ENTRY * legend)
    figure, axes = plt.subplots(figsize=size, layout="constrained")
    axes.set(title=title, xlabel=x, ylabel=y)
    return figure, axes


def _legend(figure: Figure, axes: Axes) -> None:
    handles, names = axes.get_legend_handles_labels()
    if names:
        figure.legend(handles, names, loc="outside lower left")
