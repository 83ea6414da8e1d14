"""Low-rank source model (ILRMA): variances are a product of a few spectra and activations."""

from dataclasses import dataclass

import torch
from torch import Tensor

Memory = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Nmf:
    """`U = 1 / (B A)`, with `B`, `A` updated by one multiplicative step each an iteration.

    The Itakura-Saito updates of Kitamura et al. 2016. `B` (..., K, F, R) and `A` (..., K, R, T) are
    the memory; they start at random from `seed`. alike: all sources start from the same factors.
    Else the activations of each source are drawn apart.

    floor: least variance over a bin's mean power. The likelihood is unbounded: where the demixing
    matrices cancel one frame, its variance falls and its weight rises, until a covariance in
    float32 holds only that frame.
    """

    rank: int = 4
    alike: bool = True
    floor: float = 1e-4
    seed: int = 0

    def __call__(self, power: Tensor, memory: Memory | None = None) -> tuple[Tensor, Memory]:
        given = power.nan_to_num(0, 0, 0)  # bins with nothing to separate, see `Separator`
        floor = self.floor * given.mean(-1, keepdim=True) + torch.finfo(power.dtype).tiny ** 0.5
        power = torch.maximum(given, floor)
        B, A = memory or self._start(power)
        inverse = 1 / torch.maximum(B @ A, floor)
        # (power * inverse) first: its square alone may overflow
        B = B * ((((power * inverse) * inverse) @ A.mT) / (inverse @ A.mT)).sqrt()
        inverse = 1 / torch.maximum(B @ A, floor)
        A = A * ((B.mT @ ((power * inverse) * inverse)) / (B.mT @ inverse)).sqrt()
        U = 1 / torch.maximum(B @ A, floor)
        # the floor adds to the weighted power what the outputs lack; without this correction every
        # iteration would amplify the outputs by as much
        kept = (U * given).mean(-1, keepdim=True) / (U * power).mean(-1, keepdim=True)
        return U / torch.where(kept > 0, kept, 1), (B, A)

    def _start(self, power: Tensor) -> Memory:
        """Random factors whose product is of the power's order."""
        random = torch.Generator().manual_seed(self.seed)
        F, T = power.shape[-2:]

        def draw(*shape: int) -> Tensor:  # in double, so that every dtype starts alike
            values = 0.1 + 0.9 * torch.rand(*shape, generator=random, dtype=torch.float64)
            return values.to(power)

        mean = power.mean((-2, -1), keepdim=True)
        K = 1 if self.alike else power.shape[-3]
        A = draw(K, self.rank, T).expand(*power.shape[:-2], self.rank, T)
        return draw(F, self.rank) * mean / self.rank, A
