"""How a method is drawn, the same in every figure, in the figures' legend and beside the tables.

Colour and marker tell the source model (Okabe and Ito's palette: cool for the classical, warm for
the learned), dash tells the update rule: nothing hangs on colour alone.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from ssml.config.layout import MIXTURE, REFERENCE
from ssml.config.names import BOUND_NAMES

from .results import Results

CLASSICAL = (("#0072B2", "o"), ("#009E73", "s"), ("#56B4E9", "D"), ("#7A7A00", "P"))
BOUNDS = (("#6E6E6E", "d"), ("#8C8C8C", "h"))  # told the sources
LEARNED = (("#D55E00", "^"), ("#CC79A7", "v"), ("#E69F00", "<"), ("#AA4499", ">"))
DASHES = ("-", (0, (5, 2)), (0, (1.2, 1.4)), (0, (6, 2, 1, 2)))  # of the rules
INK = "#010203"  # replaced by currentColor when a figure is written
DOTTED = (0, (1.0, 1.6))

# the markers of matplotlib as paths about (0, 0), for the page's own drawings
PATHS = {
    "o": "M-4.4 0a4.4 4.4 0 1 0 8.8 0a4.4 4.4 0 1 0-8.8 0z",
    "s": "M-4-4h8v8h-8z",
    "D": "M0-5.4l5.4 5.4-5.4 5.4-5.4-5.4z",
    "d": "M0-5.6l3.6 5.6-3.6 5.6-3.6-5.6z",
    "P": "M-1.8-5h3.6v3.2h3.2v3.6h-3.2v3.2h-3.6v-3.2h-3.2v-3.6h3.2z",
    "h": "M0-5l4.3 2.5v5l-4.3 2.5-4.3-2.5v-5z",
    "^": "M0-5.2l5 9h-10z",
    "v": "M0 5.2l5-9h-10z",
    "<": "M-5.2 0l9-5v10z",
    ">": "M5.2 0l-9-5v10z",
    "x": "M-4.6-3.2l1.4-1.4 3.2 3.2 3.2-3.2 1.4 1.4-3.2 3.2 3.2 3.2-1.4 1.4-3.2-3.2-3.2 3.2-1.4-1.4"
    " 3.2-3.2z",
    "*": "M0-5.8l1.6 3.8 4.1.3-3.1 2.7 1 4-3.6-2.2-3.6 2.2 1-4-3.1-2.7 4.1-.3z",
}


class Style(NamedTuple):
    """Colour, marker and dash of a method, in matplotlib's terms."""

    colour: str
    marker: str
    dash: str | tuple[float, tuple[float, ...]]

    @property
    def path(self) -> str:
        """The marker as the path of an SVG, about (0, 0), within 6 pixels."""
        return PATHS[self.marker]

    @property
    def ink(self) -> str:
        """The colour for a page: of the page's text where it is ink."""
        return "currentColor" if self.colour == INK else self.colour

    @property
    def strokes(self) -> str:
        """The dash as an SVG's `stroke-dasharray`, for a line of 2 pixels."""
        return "none" if self.dash == "-" else " ".join(f"{2 * x:g}" for x in self.dash[1])


def of(results: Results) -> dict[str, Style]:
    """A style for each method of a run, for the mixture and for the reference."""
    learned = {m.model for name, m in results.methods.items() if results.learned(name)}
    return styles({name: (m.model, m.rule) for name, m in results.methods.items()}, learned)


def styles(methods: Mapping[str, tuple[str, str]], learned: Collection[str]) -> dict[str, Style]:
    """A style for each method -> (model, rule), in order of first appearance."""
    models = list(dict.fromkeys(model for model, _ in methods.values()))
    rules = list(dict.fromkeys(rule for _, rule in methods.values()))
    found = {MIXTURE: Style(INK, "x", DOTTED), REFERENCE: Style(INK, "*", DOTTED)}

    def palette(model: str) -> tuple[tuple[str, str], ...]:
        return LEARNED if model in learned else BOUNDS if model in BOUND_NAMES else CLASSICAL

    for name, (model, rule) in methods.items():
        peers = [other for other in models if palette(other) == palette(model)]
        colour, marker = palette(model)[peers.index(model) % len(palette(model))]
        found[name] = Style(colour, marker, DASHES[rules.index(rule) % len(DASHES)])
    return found
