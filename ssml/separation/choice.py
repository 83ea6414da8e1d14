"""From what a user names to what separates: source model, rule, iterations, STFT and rate."""

from pathlib import Path
from typing import Any, Literal, NamedTuple, TypedDict

import numpy as np

from ssml.config.names import RATE
from ssml.files.errors import UserError
from ssml.iva.checkpoint import Trained
from ssml.iva.demixing import DELAY
from ssml.iva.models import CLASSICAL, SourceModel
from ssml.iva.stft import Stft

from . import defaults
from .inputs import check_integer
from .models import Checked, load


class Options(TypedDict, total=False):
    """The arguments of `Separator`, for which `separate` makes one."""

    model: Any
    rule: str | None
    iterations: int | None
    sources: int | None
    fs: int | None
    n_fft: int | None
    hop: int | None
    mic: int | None
    taps: int | Literal["auto"] | None
    delay: int | None
    reduce: str


class Choice(NamedTuple):
    """A source model and how it is run."""

    model: SourceModel
    rule: str
    iterations: int
    stft: Stft
    fs: int  # Hz, at which the model works
    is_loaded: bool = False  # from a file: no one else holds the network
    taps: int = 0  # past frames
    delay: int = DELAY  # to the first of them, in frames


def choose(model: Any, fs: int | None, n_fft: int | None, hop: int | None) -> Choice:
    """The choice for a name, a path, a `Trained` or a callable, at `fs` Hz; see `Separator`."""
    if isinstance(model, str) and model in CLASSICAL:
        return _run(CLASSICAL[model](), defaults.CLASSICAL[model], fs, n_fft, hop)
    if isinstance(model, Trained):
        return _trained("the model", model, fs, n_fft, hop)
    if isinstance(model, str | Path):
        trained = load(model)
        trained.network.requires_grad_(False)
        return _trained(str(model), trained, fs, n_fft, hop)._replace(is_loaded=True)
    if callable(model):
        return _run(Checked(model), defaults.OTHER, fs, n_fft, hop)
    raise UserError(f"model: {model!r} is neither a name, a file, nor a callable")


def _run(
    model: SourceModel, best: defaults.Settings, fs: int | None, n_fft: int | None, hop: int | None
) -> Choice:
    """The model with its best rule, iterations and window, at any rate."""
    fs = RATE if fs is None else fs
    n_fft = nearest_power(best.window * fs) if n_fft is None else check_integer("n_fft", n_fft, 2)
    hop = n_fft // 4 if hop is None else check_integer("hop", hop, 1)
    return Choice(model, best.rule, best.iterations, Stft(n_fft, hop), fs)


def _trained(
    name: str, trained: Trained, fs: int | None, n_fft: int | None, hop: int | None
) -> Choice:
    """The model as its card says; raises `UserError` for another window, or without a rate."""
    if fs is None:
        raise UserError(
            f"fs: missing; give the sampling rate of the mixture in Hz, for {name} works at "
            f"{trained.fs} Hz"
        )
    stft = trained.stft
    for key, asked, own in (("n_fft", n_fft, stft.n_fft), ("hop", hop, stft.hop)):
        if asked not in (None, own):
            raise UserError(f"{key}: {asked}, but {name} was trained for {own}; leave it out")
    chosen = Choice(Checked(trained.network), trained.rule, trained.iterations, stft, trained.fs)
    return chosen._replace(taps=trained.taps, delay=trained.delay)


def power_below(samples: float) -> int:
    """The largest power of two that is no more than `samples`, at least 64."""
    return max(64, 2 ** int(np.log2(max(1, samples))))


def nearest_power(samples: float) -> int:
    """The power of two nearest to `samples`, at least 64."""
    return 2 ** max(6, round(np.log2(samples)))
