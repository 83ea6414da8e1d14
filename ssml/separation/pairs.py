"""Complex numbers as pairs of real tensors, and their small matrices, for graphs without either."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Complex:
    """Complex numbers as two real tensors."""

    re: Tensor
    im: Tensor

    def __getitem__(self, index: Any) -> "Complex":
        return Complex(self.re[index], self.im[index])

    def plus(self, other: "Complex") -> "Complex":
        return Complex(self.re + other.re, self.im + other.im)

    def minus(self, other: "Complex") -> "Complex":
        return Complex(self.re - other.re, self.im - other.im)

    def times(self, other: "Complex") -> "Complex":
        re = self.re * other.re - self.im * other.im
        return Complex(re, self.re * other.im + self.im * other.re)

    def scaled(self, factor: Tensor) -> "Complex":
        return Complex(self.re * factor, self.im * factor)

    def over(self, divisor: "Complex") -> "Complex":
        return self.times(divisor.conj).scaled(1 / divisor.power)

    def dot(self, other: "Complex") -> "Complex":
        """The matrix product, as a sum of products: the matrices are small."""
        product = self[..., :, :, None].times(other[..., None, :, :])
        return Complex(product.re.sum(-2), product.im.sum(-2))

    def to(self, dtype: torch.dtype) -> "Complex":
        return Complex(self.re.to(dtype), self.im.to(dtype))

    @property
    def conj(self) -> "Complex":
        return Complex(self.re, -self.im)

    @property
    def mH(self) -> "Complex":  # as torch's
        return Complex(self.re.mT, -self.im.mT)

    @property
    def power(self) -> Tensor:
        return self.re * self.re + self.im * self.im


def eye(size: int) -> Tensor:
    return torch.eye(size, dtype=torch.float64)


def stack(rows: list[list[Complex]]) -> Complex:
    """A matrix (..., M, M) of its entries (...,)."""
    parts = ([[getattr(x, part) for x in row] for row in rows] for part in ("re", "im"))
    re, im = (torch.stack([torch.stack(row, -1) for row in part], -2) for part in parts)
    return Complex(re, im)


def lower_inverse(C: Complex, floor: float | None = None) -> tuple[Complex, Complex]:
    """Cholesky's `L` with `C = L L^H`, and `L^-1`, of Hermitian C > 0, (..., M, M).

    floor: the least square of a pivot.
    """
    M = C.re.shape[-1]
    zero = Complex(0 * C.re[..., 0, 0], 0 * C.re[..., 0, 0])
    L = [[zero] * M for _ in range(M)]
    inverse = [[zero] * M for _ in range(M)]
    for j in range(M):
        rest = C[..., j, j].re
        for k in range(j):
            rest = rest - L[j][k].power
        rest = rest if floor is None else rest.clamp_min(floor)
        scale = rest.rsqrt()
        L[j][j] = Complex(rest * scale, zero.im)
        for i in range(j + 1, M):
            below = C[..., i, j]
            for k in range(j):
                below = below.minus(L[i][k].times(L[j][k].conj))
            L[i][j] = below.scaled(scale)
        inverse[j][j] = Complex(scale, zero.im)
        for i in range(j):  # row j of L L^-1 = I
            total = zero
            for k in range(i, j):
                total = total.minus(L[j][k].times(inverse[k][i]))
            inverse[j][i] = total.scaled(scale)
    return stack(L), stack(inverse)
