"""The library's entry: mixtures as arrays or tensors in, the sources' images out.

Fewer sources than microphones (K < M): the mixture is first reduced to K channels. The demixing
matrices that are returned, and their scale, include the reduction.
"""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar, Unpack

import numpy as np
import torch
from torch import Tensor, nn

from ssml.config.names import PCA, RATE, REDUCTIONS
from ssml.files.errors import UserError
from ssml.iva import auxiva
from ssml.iva.auxiva import Demixing
from ssml.iva.updates import UPDATES

from . import diagnostics, echo, images
from .channels import Reduced, reduce_channels
from .choice import Options, choose, power_below
from .defaults import AUTO, FITTING, FRAMES, LEARNED, LOWEST
from .inputs import (
    check_channels,
    check_filters,
    check_integer,
    check_length,
    check_mixture,
    check_name,
    derives,
    exponent,
    fit_length,
    like,
    listen,
    place_on,
    resample,
)
from .models import Checked

Array = TypeVar("Array", np.ndarray, Tensor)
Each = Callable[[int, Demixing], object]


def separate(
    mix: Array, *, start: Array | None = None, each: Each | None = None, **options: Unpack[Options]
) -> Array:
    """Separate mixtures (..., M, N) into the images of their sources at `mic`, (..., K, N).

    Arguments and errors are those of `Separator` and of `Separator.forward`.
    """
    return Separator(**options)(mix, start, each)


class Separator(nn.Module):
    """A reusable separator, a torch module, which computes in the mixture's precision.

    model: "auto": the shipped model "learned", or "gauss" below 8 kHz and where an STFT is given,
        with a shorter window for a mixture of few frames. Else "laplace", "gauss", "nmf", the name
        (`ssml models`) or the path of a trained model, the result of `load`, or a callable (or
        `nn.Module`) `power -> weights` or `power, memory -> (weights, memory)`. Power and weights
        are (..., K, F, T); memory is None at first.
    rule, iterations: "iss", "iss-6-sweeps", "ip" or "ip2", and how many iterations. None: those
        on the card of the trained model, or the best known for a classical model (`defaults`).
    sources: K, the number of sources, at most M, the number of microphones. None: M. Microphones
        70 dB below the others are left out; with None, that many outputs, the last, are silent.
    fs: sampling rate in Hz, required for "auto" and trained models. A trained model works at the
        rate of its card: other mixtures are resampled to it, and the outputs back.
    n_fft, hop: window and hop of the STFT in samples. None: those of the trained model; for other
        models the power of two nearest to the best known window (256 ms for "laplace" and "gauss",
        128 ms for others), and a quarter of it.
    mic: the reference microphone, from 0. None, or where it is left out: the first that hears.
    taps, delay: past frames that are filtered too, against the echo of the room, and how many
        frames ago the first of them is. None: those on the card of the trained model, or 0 and 2.
        taps "auto": see `echo.past_frames`. Outputs are nearer to the sources' early images.
    reduce: with fewer sources than microphones, "pca": principal components; "background": all
        microphones (OverIVA), what is uncorrelated with the outputs being a background.
    device: where NumPy mixtures are computed, until `to` moves it. torch mixtures stay on their
        device, and a network that was named follows them there.

    Gradients: as torch has them, where the mixture, `start` or the network requires one. A network
    that was named is frozen at first: `requires_grad_()` makes it trainable. Resampling has no
    gradient, and the reduction to fewer sources than microphones counts as constant. NumPy arrays,
    and all where nothing requires a gradient, take the compiled iterations.
    Raises `UserError` for arguments and mixtures that cannot be used.
    """

    _place: Tensor

    def __init__(
        self,
        model: Any = AUTO,
        *,
        rule: str | None = None,
        iterations: int | None = None,
        sources: int | None = None,
        fs: int | None = None,
        n_fft: int | None = None,
        hop: int | None = None,
        mic: int | None = None,
        taps: int | Literal["auto"] | None = None,
        delay: int | None = None,
        reduce: str = PCA,
        device: str | torch.device = "cpu",
    ) -> None:
        super().__init__()
        check_name("rule", rule, UPDATES)
        self.reduce = check_name("reduce", reduce, REDUCTIONS)
        self.sources = None if sources is None else check_integer("sources", sources, least=2)
        fs = None if fs is None else check_integer("fs", fs, least=1)
        self.mic = None if mic is None else check_integer("mic", mic, least=0)
        self.register_buffer("_place", place_on(device), persistent=False)
        self._given: dict[str, Any] | None = None  # what "auto" makes other separators with
        self._others: dict[Any, Separator] = {}
        if isinstance(model, str) and model == AUTO:
            free = n_fft is None and hop is None  # an own window is none of the trained model's
            model = LEARNED if free and (fs is None or fs >= LOWEST) else FITTING
            if free:
                self._given = {"rule": rule, "iterations": iterations, "sources": sources, "fs": fs}
                self._given |= {"mic": mic, "taps": taps, "delay": delay, "reduce": reduce}
        self.name = model if isinstance(model, str | Path) else type(model).__name__
        chosen = choose(model, fs, n_fft, hop)
        self.model, self.stft, self._is_loaded = chosen.model, chosen.stft, chosen.is_loaded
        self.fs, self.model_fs = fs or RATE, chosen.fs
        self.rule = rule or chosen.rule
        iterations = chosen.iterations if iterations is None else iterations
        self.iterations = check_integer("iterations", iterations, 0)
        self._finds_taps = isinstance(taps, str) and taps == AUTO
        taps = 0 if self._finds_taps else chosen.taps if taps is None else taps
        self.taps = check_integer("taps", taps, 0)
        self.delay = check_integer("delay", chosen.delay if delay is None else delay, 1)
        if isinstance(self.model, nn.Module):
            self.training = self.model.training

    @property
    def device(self) -> torch.device:
        """Where NumPy mixtures are computed."""
        return self._place.device

    @property
    def network(self) -> nn.Module | None:
        """The source model, where it is a module: what `state_dict` and `parameters` hold."""
        given = self.model.given if isinstance(self.model, Checked) else None
        return given if isinstance(given, nn.Module) else None

    def extra_repr(self) -> str:
        """What `repr` says beside the modules."""
        return f"{self.name}, {self.rule}, {self.iterations} iterations, {self.fs} Hz"

    @property
    def window(self) -> float:
        """Length of the STFT's window in s."""
        return self.stft.n_fft / self.model_fs

    @property
    def is_auto(self) -> bool:
        """Whether `for_mixture` may give another separator."""
        return self._given is not None or self._finds_taps

    def for_mixture(self, mix: Array) -> "Separator":
        """The separator that is used for `mix` (..., M, N).

        It is this one, but with model "auto" a classical one with a shorter window for a mixture
        with too few frames. With taps "auto" it has the `echo.past_frames` of the mixture, the
        first of a batch.
        """
        if not self.is_auto:
            return self
        x = check_mixture(mix)
        chosen = self if self._given is None else self._fitting(x)
        if self._finds_taps:
            chosen = copy.copy(chosen)
            hop, chosen._finds_taps = chosen.stft.hop / chosen.model_fs, False
            chosen.taps = echo.past_frames(x, self.fs, hop)
        return chosen

    def _fitting(self, x: Tensor) -> "Separator":
        """What "auto" takes for a mixture's length."""
        frames = FRAMES * (self.sources or x.shape[-2]) * (1 + self.taps)
        is_long = x.shape[-1] // (self.window * self.fs / 4) >= frames
        return self if is_long else self._classical(power_below(4 * x.shape[-1] / frames))

    def referring_to(self, mic: int) -> "Separator":
        """The same separator, with another reference microphone."""
        other = copy.copy(self)
        other.mic, other._others = mic, {}
        other._given = self._given and {**self._given, "mic": mic}
        return other

    def _classical(self, n_fft: int | None) -> "Separator":
        """What "auto" takes where the learned model does not fit."""
        if (key := (n_fft, self.device)) not in self._others:
            given = {**(self._given or {}), "n_fft": n_fft, "device": self.device}
            self._others[key] = Separator(FITTING, **given)
        return self._others[key]

    def forward(self, mix: Array, start: Array | None = None, each: Each | None = None) -> Array:
        """Separate mixtures (..., M, N), floating point, into (..., K, N).

        start: demixing matrices (..., F, K, M) to start from, such as those of `filters`; None:
            those that keep the mixture. They set the order of the outputs. Filters over past
            frames start at zero.
        each: called as `each(i, state)` before the first iteration, i = 0, and after each; the
            state (X, W, Y) is that of `states`, without gradients. What it returns is not read.
        """
        return self.for_mixture(mix).separate_from(mix, start, each=each)[0]

    def separate_from(
        self,
        mix: Array,
        start: Array | None = None,
        changes: list[float] | None = None,
        each: Each | None = None,
    ) -> tuple[Array, Array]:
        """Outputs (..., K, N) and demixing matrices (..., F, K, M), see `filters`.

        start, each: as in `forward`. Filters of the part of a recording before save iterations and
            keep the order of the sources. changes: a list, to which the `diagnostics.change` by
            each iteration is appended.
        """
        x = self.tensor(mix)
        with torch.set_grad_enabled(derives(mix, start, *self.parameters())):
            level = exponent(x)
            at_model = resample(x * level, self.fs, self.model_fs)
            X, seen = self.stft.pair(at_model)
            heard, mic = listen(x, self.sources, self.mic)
            Z, T, axes, first = self._reduce(seen, start, heard)
            given: dict[str, Any] = {"start": first, "taps": self.taps, "delay": self.delay}
            how = (Z, self.model, self.rule, self.iterations)
            if changes is None and each is None:
                last = auxiva.demix(*how, **given)
            else:
                states = auxiva.iterate(*how, **given)
                if changes is not None:
                    states = diagnostics.record_changes(states, changes)
                for i, last in enumerate(states):
                    if each is not None:
                        each(i, self._state(last, X, T, axes, level, mic))
            W = images.scale(last.W, T, axes, X, mic)
            est = images.signals(W, X, self.delay, self.stft, at_model, mic)
            est = fit_length(resample(est, self.model_fs, self.fs), x.shape[-1])
            if self.fs < self.model_fs:
                est = images.added_up(est, W, (x * level)[..., mic, :])
            est = est / level
            silent = (self.sources or x.shape[-2]) - W.shape[-2]  # for microphones left out
            est, W = (nn.functional.pad(y, (0, 0, 0, silent)) for y in (est, W))
        if not torch.isfinite(est).all():
            raise UserError(f"mix: no finite outputs after {self.iterations} iterations; try fewer")
        return like(est, mix), like(W, mix)

    def filters(self, mix: Array) -> Array:
        """The demixing matrices W (..., F, K, M), complex: the outputs' STFT is `W X`.

        W is projected back to `mic`. Where a trained model resamples, W is for 16 kHz. With `taps`
        it has M (1 + taps) columns: the outputs are `demixing.apply(W, X, delay)`.
        """
        return self.for_mixture(mix).separate_from(mix)[1]

    @torch.no_grad()
    def states(self, mix: Array) -> Iterator[Demixing]:
        """Yield the state (X, W, Y) before the first and after each iteration, projected back."""
        if (chosen := self.for_mixture(mix)) is not self:
            yield from chosen.states(mix)
            return
        x = self.tensor(mix)
        level = exponent(x)
        X, seen = self.stft.pair(resample(x * level, self.fs, self.model_fs))
        heard, mic = listen(x, self.sources, self.mic)
        Z, T, axes, first = self._reduce(seen, None, heard)
        how = (Z, self.model, self.rule, self.iterations, first, self.taps, self.delay)
        for state in auxiva.iterate(*how):
            yield self._state(state, X, T, axes, level, mic)

    @torch.no_grad()
    def _state(
        self, state: Demixing, X: Tensor, T: Tensor | None, axes: Tensor, level: Tensor, mic: int
    ) -> Demixing:
        """The state of the mixture X / level, projected back, of one of the reduced mixture."""
        return Demixing(X / level[..., None], images.scale(state.W, T, axes, X, mic), self.delay)

    def tensor(self, mix: Any) -> Tensor:
        """The mixture as a checked tensor; moves a trained model to its device."""
        x = check_mixture(mix)
        if isinstance(mix, np.ndarray):
            x = x.to(self.device)
        check_channels(x.shape[-2], self.sources, self.mic)
        if self._is_loaded:
            self.model.to(x.device)  # type: ignore[attr-defined]
        return x

    def _reduce(self, X: Tensor, start: Any, heard: int) -> Reduced:
        """The channels that are separated into `sources`, or as many as are `heard`."""
        K, all_of_them = self.sources or heard, self.sources or X.shape[-3]
        first = None if start is None else check_filters(start, X, all_of_them)[..., :K, :]
        form = self.reduce if self.sources else PCA  # what hears nothing is no background
        reduced = reduce_channels(X, K, first, form)
        check_length(reduced.Z, K, self.taps, self.stft.n_fft)
        return reduced
