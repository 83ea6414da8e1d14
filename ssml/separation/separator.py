"""The library's entry: mixtures as arrays or tensors in, the sources' images out.

Fewer sources than microphones (K < M): the mixture is first reduced to K channels. The demixing
matrices that are returned, and their scale, include the reduction.
"""

from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ssml.files.errors import UserError
from ssml.iva import auxiva, demixing
from ssml.iva.auxiva import Demixing
from ssml.iva.checkpoint import Trained
from ssml.iva.models import CLASSICAL, SourceModel
from ssml.iva.reduction import reduction
from ssml.iva.stft import Stft
from ssml.iva.updates import UPDATES

from . import defaults, diagnostics
from .defaults import AUTO, LEARNED, NARROW, RATE
from .inputs import check_integer, check_mixture, fit_length, resample
from .models import as_source_model, load

Array = TypeVar("Array", np.ndarray, Tensor)

# largest level of a channel in an output over that of the microphone's signal: outputs that are
# louder, and cancel in their sum by 70 dB, are only rounding
LOUDEST = 3e3


def separate(
    mix: Array,
    *,
    model: Any = AUTO,
    rule: str | None = None,
    n_iter: int | None = None,
    n_src: int | None = None,
    fs: int | None = None,
    n_fft: int | None = None,
    hop: int | None = None,
    mic: int = 0,
) -> Array:
    """Separate mixtures (..., M, N) into the images of their sources at `mic`, (..., K, N).

    Arguments and errors are those of `Separator`.
    """
    given = {"model": model, "rule": rule, "n_iter": n_iter, "n_src": n_src}
    return Separator(**given, fs=fs, n_fft=n_fft, hop=hop, mic=mic)(mix)


class Separator:
    """A reusable separator, which computes without gradients and in the mixture's precision.

    model: "auto": the shipped model "learned-sdr", or "gauss" for a mixture that lacks the band up
        to 8 kHz, and where an STFT is given. Else "laplace", "gauss", "nmf", the name
        (`ssml models`) or the path of a trained model, the result of `load`, or a callable (or
        `nn.Module`) `power -> weights` or `power, memory -> (weights, memory)`. Power and weights
        are (..., K, F, T); memory is None at first.
    rule, n_iter: "iss", "iss-6-sweeps", "ip" or "ip2", and the number of iterations. None: those
        on the card of the trained model, or the best known for a classical model (`defaults`).
    n_src: K, the number of sources, at most M, the number of microphones. None: M.
    fs: sampling rate in Hz, required for "auto" and trained models. A trained model works at the
        rate of its card: mixtures of other rates are resampled to it, and the outputs back.
    n_fft, hop: window and hop of the STFT in samples. None: those of the trained model; for other
        models the power of two nearest to the best known window (256 ms for "laplace" and "gauss",
        128 ms for others), and a quarter of it.
    mic: the reference microphone, from 0: outputs are the sources' images there.
    device: where NumPy mixtures are computed. torch mixtures stay on their device.

    Raises `UserError` for arguments and mixtures that cannot be used.
    """

    def __init__(
        self,
        model: Any = AUTO,
        *,
        rule: str | None = None,
        n_iter: int | None = None,
        n_src: int | None = None,
        fs: int | None = None,
        n_fft: int | None = None,
        hop: int | None = None,
        mic: int = 0,
        device: str | torch.device = "cpu",
    ) -> None:
        if rule is not None and rule not in UPDATES:
            raise UserError(f"rule: no {rule!r} among {', '.join(UPDATES)}")
        self.n_src = None if n_src is None else check_integer("n_src", n_src, least=2)
        fs = None if fs is None else check_integer("fs", fs, least=1)
        self.mic = check_integer("mic", mic, least=0)
        self.device = torch.device(device)
        given = {"rule": rule, "n_iter": n_iter, "n_src": n_src}
        self._classical: Callable[[int | None], Separator] | None = None
        if isinstance(model, str) and model == AUTO:
            # an own window is none of the trained model's
            free = n_fft is None and hop is None
            model = LEARNED if free and (fs is None or fs >= RATE) else NARROW
            if free:
                given |= {"fs": fs, "mic": mic, "device": device}
                self._classical = cache(partial(_classical, given))
        self.name = model if isinstance(model, str | Path) else type(model).__name__
        self._network: nn.Module | None = None  # of a checkpoint: ours to move to a device
        settings, model_fs = defaults.OTHER, None
        if isinstance(model, str) and model in CLASSICAL:
            self.model: SourceModel = CLASSICAL[model]()
            settings = defaults.CLASSICAL[model]
        elif isinstance(model, str | Path | Trained):
            trained = model if isinstance(model, Trained) else load(model)
            name = "the model" if isinstance(model, Trained) else str(model)
            if fs is None:
                raise UserError(
                    f"fs: missing; give the sampling rate of the mixture in Hz, for {name} works "
                    f"at {trained.fs} Hz"
                )
            _same_stft(name, trained.stft, n_fft, hop)
            n_fft, hop, model_fs = trained.stft.n_fft, trained.stft.hop, trained.fs
            settings = defaults.Settings(trained.rule, trained.n_iter, n_fft / model_fs)
            self._network = trained.network
            self.model = as_source_model(trained.network)
        elif callable(model):
            self.model = as_source_model(model)
        else:
            raise UserError(f"model: {model!r} is neither a name, a file, nor a callable")
        self.fs = RATE if fs is None else fs
        self.model_fs = model_fs or self.fs
        self.rule_name = rule or settings.rule
        self.rule = UPDATES[self.rule_name]
        self.n_iter = check_integer("n_iter", settings.n_iter if n_iter is None else n_iter, 0)
        n_fft = (
            _nearest_power(settings.window * self.fs)
            if n_fft is None
            else check_integer("n_fft", n_fft, least=2)
        )
        self.stft = Stft(n_fft, n_fft // 4 if hop is None else check_integer("hop", hop, least=1))

    @property
    def window(self) -> float:
        """Length of the STFT's window in s."""
        return self.stft.n_fft / self.model_fs

    @property
    def is_auto(self) -> bool:
        """Whether `for_mixture` may give another separator."""
        return self._classical is not None

    def for_mixture(self, mix: Array) -> "Separator":
        """The separator that is used for `mix` (..., M, N).

        It is this one, but with model "auto" a classical one for a mixture with a narrow band (see
        `defaults.is_narrow`) and, with a shorter window, for one with too few frames.
        """
        if self._classical is None:
            return self
        x = check_mixture(mix)
        K = self.n_src or x.shape[-2]
        chosen = self._classical(None) if defaults.is_narrow(x, self.fs) else self
        if x.shape[-1] // (chosen.window * self.fs / 4) >= K:
            return chosen
        n_fft = max(64, 2 ** int(np.log2(max(1, 4 * x.shape[-1] / K))))
        return self._classical(n_fft)

    def __call__(self, mix: Array) -> Array:
        """Separate mixtures (..., M, N), floating point, into (..., K, N)."""
        return self.for_mixture(mix).separate_from(mix)[0]

    @torch.no_grad()
    def separate_from(
        self, mix: Array, start: Array | None = None, changes: list[float] | None = None
    ) -> tuple[Array, Array]:
        """Outputs (..., K, N) and demixing matrices (..., F, K, M), see `filters`.

        start: demixing matrices to start from. Those of the part of a recording before save
        iterations and keep the order of the sources. changes: a list, to which the
        `diagnostics.change` by each iteration is appended.
        """
        x = self._tensor(mix)
        level = exponent(x)
        at_model = resample(x * level, self.fs, self.model_fs)
        X = self.stft.forward(at_model)
        Z, T, axes = self._reduce(X, None if start is None else torch.as_tensor(start).to(X))
        given = (Z, self.model, self.rule, self.n_iter)
        if changes is None:
            last = auxiva.demix(*given)
        else:
            *_, last = diagnostics.record_changes(auxiva.iterate(*given), changes)
        W = self._scale(last.W, T, axes, X)
        est = self.stft.inverse(demixing.apply(W, X), at_model.shape[-1])
        if W.shape[-2] == W.shape[-1]:  # the rounding error of ill-conditioned W
            rest = at_model[..., self.mic, None, :] - est.sum(-2, keepdim=True)
            est = est + rest / W.shape[-2]
        est = fit_length(resample(est, self.model_fs, self.fs), x.shape[-1]) / level
        if not torch.isfinite(est).all():
            raise UserError(f"mix: no finite outputs after {self.n_iter} iterations; try fewer")
        return _like(est, mix), _like(W, mix)

    def filters(self, mix: Array) -> Array:
        """The demixing matrices W (..., F, K, M), complex: the outputs' STFT is `W X`.

        W is projected back to `mic`. Where a trained model resamples, W is for 16 kHz.
        """
        return self.for_mixture(mix).separate_from(mix)[1]

    @torch.no_grad()
    def states(self, mix: Array) -> Iterator[Demixing]:
        """Yield the state (X, W, Y) before the first and after each iteration, projected back."""
        chosen = self.for_mixture(mix)
        if chosen is not self:
            yield from chosen.states(mix)
            return
        x = self._tensor(mix)
        level = exponent(x)
        X = self.stft.forward(resample(x * level, self.fs, self.model_fs))
        Z, T, rest = self._reduce(X, None)
        for state in auxiva.iterate(Z, self.model, self.rule, self.n_iter):
            yield Demixing(X / level[..., None], self._scale(state.W, T, rest, X))

    def _tensor(self, mix: Any) -> Tensor:
        """The mixture as a checked tensor; moves a trained model to its device."""
        x = check_mixture(mix)
        if isinstance(mix, np.ndarray):
            x = x.to(self.device)
        M = x.shape[-2]
        if self.n_src is not None and self.n_src > M:
            raise UserError(f"n_src: {self.n_src} sources need as many microphones, not {M}")
        if self.mic >= M:
            raise UserError(f"mic: {self.mic} is not within 0..{M - 1}, the mixture's channels")
        if self._network is not None:
            self._network.to(x.device)
        return x

    def _reduce(self, X: Tensor, start: Tensor | None) -> tuple[Tensor, Tensor | None, Tensor]:
        """`Z = T X` (..., K, F, T), T (..., F, K, M) or None for I, and the axes that T drops."""
        M = X.shape[-3]
        K = self.n_src or M
        if X.shape[-1] < K:
            raise UserError(
                f"mix: too short for {K} sources, which need as many frames of "
                f"{self.stft.n_fft} samples; give a longer recording"
            )
        if K == M and start is None:
            return X, None, X.new_empty(0)
        T, rest = reduction(X, K, start)
        return demixing.apply(T, X.to(T.dtype)).to(X.dtype), T, rest

    def _scale(self, W: Tensor, T: Tensor | None, rest: Tensor, X: Tensor) -> Tensor:
        """Demixing matrices (..., F, K, M) of the mixture X, projected back to `mic`.

        In bins with nothing to separate, the first output is the signal of `mic`.
        """
        if T is None:
            scaled = demixing.project_back(W, self.mic)
        else:
            # with the dropped axes as further rows the matrix is square and can be inverted
            full = torch.cat([W.to(T.dtype) @ T, rest], dim=-2)
            scaled = demixing.project_back(full, self.mic)[..., : W.shape[-2], :].to(W.dtype)
        level = torch.linalg.vector_norm(torch.view_as_real(X), dim=(-2, -1)).mT  # (..., F, M)
        let_through = (scaled.abs() * level[..., None, :]).amax((-2, -1))
        nothing = (scaled == 0).all(-1).all(-1) | (let_through > LOUDEST * level[..., self.mic])
        alone = torch.zeros_like(scaled[..., 0, :])
        alone[..., self.mic] = 1
        scaled = torch.where(nothing[..., None, None], 0, scaled)
        scaled[..., 0, :] += nothing[..., None] * alone
        return scaled


def _classical(given: dict[str, Any], n_fft: int | None) -> Separator:
    """What "auto" takes where the learned model does not fit."""
    return Separator(NARROW, n_fft=n_fft, **given)


def exponent(x: Tensor) -> Tensor:
    """The power of two (..., 1, 1) that scales x (..., M, N) to about [-1, 1], without rounding."""
    largest = x.abs().amax((-2, -1), keepdim=True)
    most = int(np.log2(torch.finfo(x.dtype).max)) - 1
    return torch.ldexp(torch.ones_like(largest), -largest.frexp().exponent.clamp(-most, most))


def _same_stft(name: str, stft: Stft, n_fft: int | None, hop: int | None) -> None:
    """Raise `UserError` where `n_fft` or `hop` is given and differs from the model's STFT."""
    for key, asked, own in (("n_fft", n_fft, stft.n_fft), ("hop", hop, stft.hop)):
        if asked not in (None, own):
            raise UserError(f"{key}: {asked}, but {name} was trained for {own}; leave it out")


def _nearest_power(samples: float) -> int:
    return 2 ** max(6, round(np.log2(samples)))


def _like(x: Tensor, mix: Array) -> Any:
    return x.cpu().numpy() if isinstance(mix, np.ndarray) else x
