"""LOSSES: costs of estimates against references, minimised over permutations.

A loss maps estimates and references to the cost of every pair, (..., K, K). `pit` chooses the best
assignment. Estimates and references are given both as signals and as spectra: each loss uses one
of the two.
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ssml.files import own
from ssml.files.errors import UserError

ENUMERATED = 4  # sources up to which `pit` compares all permutations


class Sources(NamedTuple):
    signals: Tensor  # (..., K, N) real
    spectra: Tensor  # (..., K, F, T) complex


def si_sdr_matrix(est: Tensor, ref: Tensor, clamp: float | None = None) -> Tensor:
    """SI-SDR in dB of every estimate against every reference, (..., K, N) -> (..., K_est, K_ref).

    `10 log10(c / (1 - c))` with `c` the squared cosine of the angle between the two (Le Roux et
    al. 2019). With `clamp`, values are within +-`clamp` dB. Silence gives -inf, or -`clamp`.
    """
    tiny = torch.finfo(est.dtype).tiny
    power = est.square().sum(-1)[..., :, None] * ref.square().sum(-1)[..., None, :]
    cosine = (est @ ref.mT).square() / power.clamp_min(tiny)
    low = 0.0 if clamp is None else 1 / (1 + 10 ** (clamp / 10))
    cosine = cosine.clamp(low, 1 - low)
    return 10 * torch.log10(cosine / (1 - cosine))


def sdr(est: Sources, ref: Sources) -> Tensor:
    """Negative SI-SDR in dB of the signals, clamped at 30 dB; (..., K, K)."""
    return -si_sdr_matrix(est.signals, ref.signals, clamp=30)


def coherence(est: Sources, ref: Sources) -> Tensor:
    """`1 - mean_f c_f` of the spectra (Li et al. 2020); (..., K, K), in [0, 1].

    `c_f = |sum_t Y S*| / sqrt(sum_t |Y|^2 sum_t |S|^2)` does not depend on the scale and the phase
    of a bin.
    """
    Y, S = est.spectra.transpose(-3, -2), ref.spectra.transpose(-3, -2)  # (..., F, K, T)
    tiny = torch.finfo(Y.real.dtype).eps ** 2
    norm = Y.abs().square().sum(-1)[..., :, None] * S.abs().square().sum(-1)[..., None, :]
    cross = (Y @ S.mH).abs().square()
    return 1 - ((cross + tiny) / (norm + tiny)).sqrt().mean(-3)


Loss = Callable[[Sources, Sources], Tensor]
LOSSES: dict[str, Loss] = {"sdr": sdr, "coherence": coherence}


def find(name: str) -> Loss:
    """The loss `name`: one of `LOSSES`, or a user's own, `module:function`, which is imported.

    What an own one returns is checked. Raises `UserError` where it is none.
    """
    if name in LOSSES:
        return LOSSES[name]
    loss = own.bring(name)
    if not callable(loss):
        raise UserError(f"loss: {name} is of type {type(loss).__name__}, not a function")

    def checked(est: Sources, ref: Sources) -> Tensor:
        cost = loss(est, ref)
        wanted = (*est.signals.shape[:-1], ref.signals.shape[-2])
        if not isinstance(cost, Tensor) or cost.shape != wanted:
            given = tuple(cost.shape) if isinstance(cost, Tensor) else type(cost).__name__
            raise UserError(f"loss: {name} returned {given}, not the costs of all pairs, {wanted}")
        return cost

    return checked


def pit(cost: Tensor) -> tuple[Tensor, Tensor]:
    """The least mean cost over assignments: (..., K, K) -> loss (...,), permutation (..., K).

    `permutation[k]` is the estimate that belongs to reference k. The gradient is that of the costs
    which the best assignment chooses.
    """
    K = cost.shape[-1]
    # up to 24 permutations are compared on the cost's own device; 8 sources have 40320
    best = _enumerated(cost) if K <= ENUMERATED else _assigned(cost)
    chosen = cost.gather(-2, best[..., None, :])[..., 0, :]  # cost[permutation[k], k] over k
    return chosen.mean(-1), best


def _enumerated(cost: Tensor) -> Tensor:
    """The best permutation (..., K) of costs (..., K, K), among all."""
    K = cost.shape[-1]
    permutations = torch.tensor(list(itertools.permutations(range(K))), device=cost.device)
    totals = cost.detach()[..., permutations, torch.arange(K, device=cost.device)].mean(-1)
    return permutations[totals.argmin(-1)]


def _assigned(cost: Tensor) -> Tensor:
    """The best permutation (..., K) of costs (..., K, K), by the Hungarian method."""
    from scipy.optimize import linear_sum_assignment  # takes half a second to import

    K = cost.shape[-1]
    # a cost that is no number must not stop a training, which skips such a step
    tables = cost.detach().nan_to_num(posinf=1e30, neginf=-1e30).double().cpu()
    tables = tables.reshape(-1, K, K).mT.numpy()  # a row for each reference
    best = np.stack([linear_sum_assignment(table)[1] for table in tables])
    return torch.from_numpy(best).to(cost.device).reshape(cost.shape[:-1])
