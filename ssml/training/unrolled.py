"""The cost of a batch: a separation loss after the iterations that are trained through."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ssml.config.sections import VariantParams
from ssml.files.provenance import generator
from ssml.iva import auxiva, losses
from ssml.iva.losses import Sources
from ssml.iva.stft import Stft

FROM_NONE = 0.5  # share of the steps with no iterations before those with a gradient
FLOOR = 3e-3  # added to a source's power, over its mean in the bin: speech has pauses


class Iterations(NamedTuple):
    """How many iterations a step has: `before` without a gradient, then `derived` with one."""

    before: int
    derived: int


def draw_iterations(params: VariantParams, seed: int, step: int) -> Iterations:
    """The iterations of a step, which depend on seed and step alone."""
    rng = generator(seed, "iterations", step)
    derived = int(rng.integers(params.iterations[0], params.iterations[1] + 1))
    low, high = params.before
    if high == 0 or rng.random() < FROM_NONE:
        return Iterations(0, derived)
    return Iterations(int(rng.integers(low, high + 1)), derived)


def cost(
    params: VariantParams,
    network: nn.Module,
    stft: Stft,
    mix: Tensor,
    ref: Tensor,
    iterations: Iterations,
) -> Tensor:
    """Mean permutation-invariant loss of mixtures and references, both (B, K, N); a scalar.

    `params.middle` times the loss half way through the iterations with a gradient is added, and
    `params.divergence` times the mean `divergence` of the weights in them. What `stft` takes out of
    signals does not count.
    """
    X, rule, loss = stft.forward(mix), params.rule, losses.find(params.loss)
    start, past = None, (params.taps, params.delay)
    if iterations.before:
        with torch.no_grad():
            start = auxiva.demix(X, network, rule, iterations.before, False, None, *past).W
    low = stft.low

    def keep_above(Y: Tensor) -> Sources:
        Y = Y * (torch.arange(Y.shape[-2], device=Y.device) >= low)[:, None] if low else Y
        return Sources(stft.inverse(Y, mix.shape[-1]), Y)

    S = stft.forward(ref)
    known = keep_above(S) if low else Sources(ref, S)

    def assigned(state: auxiva.Demixing) -> tuple[Tensor, Tensor]:
        return losses.pit(loss(keep_above(state.projected_back().Y), known))

    if not (params.middle or params.divergence):
        state = auxiva.demix(X, network, rule, iterations.derived, params.recompute, start, *past)
        return assigned(state)[0].mean()
    weights = _Recorded(network)
    states = list(auxiva.iterate(X, weights, rule, iterations.derived, start, *past))
    total, order = assigned(states[-1])
    if params.middle:
        total = total + params.middle * assigned(states[(iterations.derived + 1) // 2])[0]
    if params.divergence:
        given = [U[..., low:, :] for U in weights.given]
        total = total + params.divergence * divergence(given, S[..., low:, :], order)
    return total.mean()


def divergence(weights: Sequence[Tensor], S: Tensor, order: Tensor) -> Tensor:
    """Itakura-Saito divergence of the sources' powers from the inverse weights, mean; (B,).

    weights: one or more U (B, K, F, T) > 0. S (B, K, F, T) complex: the sources. order (B, K): the
    output of each source. Each bin of U may have a scale of its own, and has the best one here, as
    an update is the same for all. In nats a bin and frame; 0 where U is 1 / |S|^2.
    """
    power = S.abs().square()
    power = power + FLOOR * power.mean(-1, keepdim=True) + torch.finfo(power.dtype).tiny
    found = []
    for U in weights:
        u = U.gather(1, order[..., None, None].expand_as(U))
        mean = (u * power).mean(-1).log()
        found.append((mean - u.log().mean(-1) - power.log().mean(-1)).mean((-2, -1)))
    return torch.stack(found).mean(0)


class _Recorded:
    """A source model that keeps the weights which it has given."""

    def __init__(self, network: nn.Module) -> None:
        self.network, self.given = network, list[Tensor]()

    def __call__(self, power: Tensor, memory: Any = None) -> tuple[Tensor, Any]:
        U, memory = self.network(power, memory)
        self.given.append(U)
        return U, memory
