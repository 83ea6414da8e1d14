"""Checks of what a separator receives: mixtures, filters and numbers; level, rate and length."""

from collections.abc import Collection
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ssml.files.errors import UserError

Name = TypeVar("Name", bound=str | None)
MOST = 32  # channels of a mixture
WEAK = 10**-3.5  # level of a channel against the loudest, below which it hears nothing: -70 dB


def check_samples(name: str, x: Any) -> None:
    """`UserError` where x, called `name`, is no array or tensor in single or double precision."""
    if not isinstance(x, np.ndarray | Tensor):
        raise UserError(f"{name}: {type(x).__name__}; give a NumPy array or a torch tensor")
    if x.dtype not in (np.float32, np.float64, torch.float32, torch.float64):
        raise UserError(
            f"{name}: {x.dtype} samples; convert them to float32 or float64 within -1..1, "
            f"e.g. int16 by {name} / 32768"
        )


def as_tensor(name: str, x: Any) -> Tensor:
    """The samples as a tensor; raises `UserError` where they are not finite."""
    if isinstance(x, np.ndarray):
        x = torch.from_numpy(np.require(x, requirements=["C", "W"]))
    if not torch.isfinite(x).all():
        raise UserError(f"{name}: holds samples that are not finite (NaN or infinite)")
    return x


def check_mixture(mix: Any) -> Tensor:
    """The mixture as a tensor; raises `UserError` where it cannot be separated."""
    check_samples("mix", mix)
    if mix.ndim < 2:
        raise UserError(f"mix: {mix.ndim}-D; the shape must be (..., channels, samples)")
    *batch, M, N = mix.shape
    if 0 in batch or N == 0:
        raise UserError(f"mix: no samples in shape {tuple(mix.shape)}")
    if M < 2:
        raise UserError(f"mix: {M} channel; separation needs at least two microphones")
    if M > MOST:
        raise UserError(
            f"mix: {M} channels of {N} samples, at most {MOST} are separated; the shape must be "
            "(..., channels, samples)"
        )
    return as_tensor("mix", mix)


def check_channels(M: int, sources: int | None, mic: int | None) -> None:
    """`UserError` where M microphones are too few for `sources`, or `mic` is none of them."""
    if sources is not None and sources > M:
        raise UserError(f"sources: {sources} sources need as many microphones, not {M}")
    if mic is not None and mic >= M:
        raise UserError(f"mic: {mic} is not within 0..{M - 1}, the mixture's channels")


def check_length(Z: Tensor, K: int, taps: int, n_fft: int) -> None:
    """`UserError` where Z (..., M, F, T) has too few frames for K sources and past frames."""
    needed = Z.shape[-3] * (1 + taps)
    if Z.shape[-1] < needed:
        past = f" and {taps} past frames" * bool(taps)
        raise UserError(
            f"mix: too short for {K} sources{past}, which need {needed} frames of {n_fft} samples; "
            "give a longer recording"
        )


def check_filters(start: Any, X: Tensor, K: int) -> Tensor:
    """Demixing matrices (..., F, K, M) for the mixture X (..., M, F, T), as `start` gives them."""
    if not isinstance(start, np.ndarray | Tensor):
        raise UserError(f"start: {type(start).__name__}; give a NumPy array or a torch tensor")
    wanted = (*X.shape[:-3], X.shape[-2], K, X.shape[-3])
    W = torch.as_tensor(start).to(X)[..., : X.shape[-3]]  # those over past frames begin anew
    if W.shape[-3:] != wanted[-3:] or W.ndim > len(wanted):
        raise UserError(f"start: shape {tuple(W.shape)}; the demixing matrices are {wanted}")
    if not torch.isfinite(W).all():
        raise UserError("start: holds values that are not finite (NaN or infinite)")
    return W.expand(wanted)


def place_on(device: str | torch.device) -> Tensor:
    """An empty tensor on `device`; `UserError` where nothing can be."""
    try:
        return torch.empty(0, device=device)
    except Exception:
        raise UserError(f"device: {device} cannot be used; give cpu, cuda or cuda:1 ...") from None


def check_name(key: str, name: Name, known: Collection[str]) -> Name:
    """The name; `UserError` where one is given that is not among those known."""
    if name is not None and name not in known:
        raise UserError(f"{key}: no {name!r} among {', '.join(known)}")
    return name


def check_integer(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise UserError(f"{name}: {value!r} is not a whole number")
    if value < least:
        raise UserError(f"{name}: {value} is below {least}")
    return int(value)


def resample(x: Tensor, fs: int, to: int) -> Tensor:
    """(..., N) at `fs` -> (..., ceil(N to / fs)) at `to`, Hz; raises `UserError` for gradients."""
    if fs == to:
        return x
    if x.requires_grad:
        raise UserError(f"fs: {fs} -> {to} Hz has no gradient; give a mixture at the model's rate")
    try:
        import soxr
    except ImportError:
        raise UserError(f"fs: {fs} Hz with a model of {to} Hz needs soxr; install it") from None
    flat = x.reshape(-1, x.shape[-1]).mT.cpu().numpy()  # soxr has channels last
    # all rows at once would be channels, of which soxr takes a limited number
    rows = [soxr.resample(np.ascontiguousarray(row), fs, to) for row in flat.T]
    out = torch.from_numpy(np.stack(rows)).to(x)
    return out.reshape(*x.shape[:-1], out.shape[-1])


def exponent(x: Tensor) -> Tensor:
    """The power of two (..., 1, 1) that scales x (..., M, N) to about [-1, 1], without rounding."""
    largest = x.detach().abs().amax((-2, -1), keepdim=True)
    most = int(np.log2(torch.finfo(x.dtype).max)) - 1
    return torch.ldexp(torch.ones_like(largest), -largest.frexp().exponent.clamp(-most, most))


def hearing(x: Tensor) -> list[int]:
    """The channels of x (..., M, N) that are within 70 dB of the loudest, in any of the mixtures.

    All channels where all are silent.
    """
    peaks = x.detach().abs().amax(-1)
    heard = peaks > WEAK * peaks.amax(-1, keepdim=True)
    found = heard.reshape(-1, heard.shape[-1]).any(0)
    return [m for m, is_heard in enumerate(found.tolist()) if is_heard] or [*range(len(found))]


def listen(x: Tensor, sources: int | None, mic: int | None) -> tuple[int, int]:
    """How many microphones of x (..., M, N) are not left out, and the reference microphone.

    Those that hear nothing are left out where as many as `sources`, and two, hear.
    """
    heard = hearing(x)
    left_out = len(heard) >= (sources or 2)
    if mic is None or (left_out and mic not in heard):
        mic = heard[0]
    return len(heard) if left_out else x.shape[-2], mic


def derives(mix: Any, *others: Any) -> bool:
    """Whether a gradient is asked for, of a mixture and what else is computed with."""
    if not torch.is_grad_enabled() or isinstance(mix, np.ndarray):
        return False
    return any(x.requires_grad for x in (mix, *others) if isinstance(x, Tensor))


def like(x: Tensor, mix: Any) -> Any:
    """x as an array where `mix` is one."""
    return x.cpu().numpy() if isinstance(mix, np.ndarray) else x


def fit_length(x: Tensor, length: int) -> Tensor:
    """x cut or padded with zeros to `length` samples: resampling may round up or down."""
    return nn.functional.pad(x, (0, length - x.shape[-1]))
