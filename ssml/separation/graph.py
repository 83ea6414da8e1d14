"""The separator `mix (1, K, N) -> images (1, K, N)` as a graph of real tensors, to be exported.

It computes `auxiva.separate` for K = M sources and any N. ONNX has neither complex numbers nor
matrix decompositions. Here the STFT is a convolution, a complex number is a pair of tensors, and
the Cholesky factors of K x K matrices are written out.
"""

import functools

import torch
from torch import Tensor, nn

from ssml.iva import auxiva, linalg, rumble
from ssml.iva.stft import Stft

from .graph_rules import RULES
from .pairs import Complex, eye, lower_inverse, stack


class Graph(nn.Module):
    """`model` and `rule` in the loop of `auxiva.iterate`: (1, K, N) -> (1, K, N), real."""

    basis: Tensor

    def __init__(
        self, model: nn.Module, stft: Stft, iterations: int, sources: int, rule: str = "iss"
    ) -> None:
        super().__init__()
        self.model, self.stft, self.iterations, self.sources = model, stft, iterations, sources
        self.rule = RULES[rule]
        angles = torch.arange(stft.n_fft, dtype=torch.float64) * (2 * torch.pi / stft.n_fft)
        turns = torch.outer(torch.arange(stft.bins), torch.arange(stft.n_fft)) % stft.n_fft
        window = torch.hann_window(stft.n_fft, dtype=torch.float64)
        waves = torch.cat([angles.cos()[turns], -angles.sin()[turns]]) * window
        self.register_buffer("basis", waves[:, None].float())  # (2 F, 1, n_fft)

    def forward(self, mix: Tensor) -> Tensor:
        x = mix[0]
        low, n_fft = self.stft.low, self.stft.n_fft
        high = x - self.stft.below(x) if low else x
        X = self.analyse(high)
        seen = self.analyse(rumble.faded(high, low, n_fft)) if low else X
        est = self.synthesise(self.demix(X, seen), x.shape[-1])
        return auxiva.with_rumble(est, x[0], self.stft)[None]

    def analyse(self, x: Tensor) -> Complex:
        """(M, N) -> (M, F, T), as `Stft.forward`."""
        half = self.stft.n_fft // 2
        padded = nn.functional.pad(x[:, None], (half, half + self.stft.beyond))
        X = nn.functional.conv1d(padded, self.basis, stride=self.stft.hop)
        return Complex(X[:, : self.stft.bins], X[:, self.stft.bins :])

    def synthesise(self, Y: Complex, length: int) -> Tensor:
        """(K, F, T) -> (K, length), as `Stft.inverse`."""
        n_fft, hop, bins = self.stft.n_fft, self.stft.hop, self.stft.bins
        # each bin but the first and the last stands for its mirror image too
        twice = torch.full((bins, 1), 2 / n_fft)
        twice[0] = twice[-1] = 1 / n_fft
        twice[: self.stft.empty] = 0
        frames = torch.cat([Y.re * twice, Y.im * twice], -2)
        y = nn.functional.conv_transpose1d(frames, self.basis, stride=hop)
        window = torch.hann_window(n_fft).square()[None, None]
        ones = torch.ones_like(Y.re[:1, :1])
        envelope = nn.functional.conv_transpose1d(ones, window, stride=hop)
        # by index: torch.export cannot prove that a slice fits for any length
        inside = torch.arange(length) + n_fft // 2
        return y[:, 0].index_select(-1, inside) / envelope[:, 0].index_select(-1, inside)

    def demix(self, X: Complex, seen: Complex) -> Complex:
        """Images (K, F, T) at the first microphone of X (M, F, T), by filters found on `seen`."""
        tiny = torch.finfo(torch.float32).tiny
        level = seen.power.mean((-3, -2, -1), keepdim=True).sqrt().clamp_min(tiny)
        L, whiten = self.sphere(seen.scaled(1 / level))
        Z = apply(whiten, seen.scaled(1 / level))
        P = outer_products(Z)
        return apply(project_back(self.iterate(L, P).dot(whiten)), X)

    def iterate(self, W: Complex, P: Tensor) -> Complex:
        """W (F, K, K) after all iterations, from W; float64."""

        def more(i: Tensor, re: Tensor, im: Tensor) -> Tensor:
            return i < self.iterations

        def step(i: Tensor, re: Tensor, im: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            W = Complex(re, im)
            U, _ = self.model(power(W, P))
            W = self.rule(load(covariance(W, U, P))).dot(W)
            return i + 1, W.re.clone(), W.im.clone()

        state = torch.zeros((), dtype=torch.int64), W.re.clone(), W.im.clone()
        # torch before 2.13 has no public loop: there the iterations are unrolled, and the export of
        # 20 takes minutes
        loop = getattr(torch, "while_loop", None) if torch.compiler.is_exporting() else None
        if loop is not None:
            state = loop(more, step, state)
        else:
            while more(*state):
                state = step(*state)
        return Complex(*state[1:])

    def sphere(self, X: Complex) -> tuple[Complex, Complex]:
        """`L`, `L^-1` of `demixing.sphere`, float64 (F, M, M)."""
        wide = X.to(torch.float64)
        M = self.sources
        pairs = [[wide[i].times(wide[j].conj) for j in range(M)] for i in range(M)]
        C = stack([[Complex(x.re.mean(-1), x.im.mean(-1)) for x in row] for row in pairs])
        trace = (C.re * eye(M)).sum((-2, -1)) / M
        share, floor = linalg.loading_of(torch.float32)
        load = share * trace + floor
        return lower_inverse(Complex(C.re + load[..., None, None] * eye(M), C.im))


def apply(W: Complex, X: Complex) -> Complex:
    """`W X` in float32: (F, K, M), (M, F, T) -> (K, F, T)."""
    W = W.to(torch.float32)
    rows = []
    for k in range(W.re.shape[-2]):
        terms = [W[:, k, m, None].times(X[m]) for m in range(W.re.shape[-1])]
        rows.append(functools.reduce(Complex.plus, terms))
    return Complex(torch.stack([row.re for row in rows]), torch.stack([row.im for row in rows]))


def outer_products(X: Complex) -> Tensor:
    """As `demixing.outer_products`: (M, F, T) -> (F, M * M, T)."""
    M = X.re.shape[0]
    rows = []
    for i in range(M):
        for j in range(M):
            product = X[min(i, j)].times(X[max(i, j)].conj)
            rows.append(product.re if i <= j else product.im)
    return torch.stack(rows, -2)


def power(W: Complex, P: Tensor) -> Tensor:
    """As `demixing.power`: (F, K, M) float64, (F, M * M, T) -> (1, K, F, T)."""
    Q = W[..., :, None].times(W[..., None, :].conj)
    coefficients = 2 * (Q.re.triu(1) - Q.im.triu(1).mT) + Q.re * eye(W.re.shape[-1])
    return (coefficients.flatten(-2).to(P.dtype) @ P).clamp_min(0).transpose(0, 1)[None]


def covariance(W: Complex, U: Tensor, P: Tensor) -> Complex:
    """As `demixing.covariance`: (F, K, M), (1, K, F, T), (F, M * M, T) -> (F, K, K, K).

    Sums over frames are float32, as P is. K x K matrices are float64: rounding them to float32 in
    each iteration changed the outputs of four sources by 1e-3 of the peak.
    """
    M = W.re.shape[-1]
    H = (U[0].transpose(0, 1) @ P.transpose(-2, -1)).to(W.re.dtype) / P.shape[-1]
    H = H.unflatten(-1, (M, M))
    upper, lower = H.triu(1), H.tril(-1)
    V = Complex(H.triu() + upper.mT, lower.mT - lower)
    W = W[:, None]
    return W.dot(V).dot(W.mH)


def load(G: Complex) -> Complex:
    """As `linalg.load` of float32, to which the sums in G are rounded: (F, K, K, K)."""
    share, floor = linalg.loading_of(torch.float32)
    amount = share * (G.re * eye(G.re.shape[-1])).sum(-1) + floor
    return Complex(G.re + amount[..., None] * eye(G.re.shape[-1]), G.im)


def project_back(W: Complex) -> Complex:
    """As `demixing.project_back` for the first microphone; float64 (F, K, M)."""
    norm = W.power.sum(-1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
    unit = W.scaled(norm.rsqrt())
    # W^-1 = W^H (W W^H)^-1
    _, inverse = lower_inverse(unit.dot(unit.mH))
    first = unit.mH.dot(inverse.mH).dot(inverse)[..., 0, :]
    scaled = first[..., :, None].times(unit)
    finite = torch.isfinite(scaled.re) & torch.isfinite(scaled.im)
    zero = torch.zeros_like(scaled.re)
    return Complex(torch.where(finite, scaled.re, zero), torch.where(finite, scaled.im, zero))
