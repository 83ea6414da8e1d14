"""Demixing matrices whose outputs are the sources' images at a microphone, also where K < M."""

import torch
from torch import Tensor, nn

from ssml.iva import demixing
from ssml.iva.stft import Stft

# largest level of a channel in an output over that of the microphone's signal: outputs that are
# louder, and cancel in their sum by 70 dB, are only rounding
LOUDEST = 3e3


def signals(W: Tensor, X: Tensor, delay: int, stft: Stft, mix: Tensor, mic: int) -> Tensor:
    """The signals (..., K, N) of the outputs `W X`; mix (..., M, N) is the mixture of X."""
    est = stft.inverse(demixing.apply(W, X, delay), mix.shape[-1])
    return added_up(est, W, mix[..., mic, :])


def added_up(est: Tensor, W: Tensor, heard: Tensor) -> Tensor:
    """Outputs (..., K, N) that add up to the microphone's signal (..., N), where W is square.

    They share what they lack: what the STFT takes out, or is lost near half the sampling rate, and
    the rounding error of an ill-conditioned W.
    """
    if W.shape[-2] != W.shape[-1]:
        return est
    return est + (heard[..., None, :] - est.sum(-2, keepdim=True)) / W.shape[-2]


def scale(W: Tensor, T: Tensor | None, axes: Tensor, X: Tensor, mic: int) -> Tensor:
    """Demixing matrices (..., F, K, M) of the mixture X (..., M, F, T), projected back to `mic`.

    W (..., F, K, K) is for the mixture `T X`; T and the axes that it drops are those of
    `reduction`, T is None for I. In bins with nothing to separate, the first output is the signal
    of `mic`. Filters over past frames are further columns of W, and of the result.
    """
    if T is None:
        scaled = demixing.project_back(W, mic, X)
    else:
        # with the dropped axes as further rows the matrix is square and can be inverted
        wide = demixing.change_channels(W.to(T.dtype), T)
        below = nn.functional.pad(axes, (0, wide.shape[-1] - axes.shape[-1]))
        full = torch.cat([wide, below], dim=-2)
        scaled = demixing.project_back(full, mic, X)[..., : W.shape[-2], :].to(W.dtype)
    level = torch.linalg.vector_norm(torch.view_as_real(X.detach()), dim=(-2, -1)).mT  # (..., F, M)
    heard = torch.cat([level] * (scaled.shape[-1] // X.shape[-3]), -1)
    let_through = (scaled.detach().abs() * heard[..., None, :]).amax((-2, -1))
    nothing = (scaled == 0).all(-1).all(-1) | (let_through > LOUDEST * level[..., mic])
    alone = torch.zeros_like(scaled[..., 0, :])
    alone[..., mic] = 1
    scaled = torch.where(nothing[..., None, None], 0, scaled)
    scaled[..., 0, :] += nothing[..., None] * alone
    return scaled
