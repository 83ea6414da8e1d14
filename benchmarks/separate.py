"""Laplace-IVA of one mixture on a CPU, from its STFT to the sources' images."""

import time

import torch
from torch import Tensor

from ssml.config.names import RATE
from ssml.iva import auxiva, kernels
from ssml.iva.models import CLASSICAL
from ssml.iva.updates import UPDATES

from . import peers
from .measure import bandwidth, in_turn, options, row, show

CASES = {2: 7, 3: 12, 4: 12}  # channels: seconds
F, FRAMES = 1025, RATE / 512  # bins, and frames a second, of the STFT 2048/512


def mixture(K: int, seconds: float, *batch: int) -> Tensor:
    """Mixtures of noises that come and go, (*batch, K, F, T) complex64."""
    random = torch.Generator().manual_seed(0)
    T = round(seconds * FRAMES)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*batch, *shape, generator=random, dtype=torch.complex64)

    S = normal(K, F, T) * normal(K, 1, T).abs().square()
    return torch.einsum("...fmk,...kft->...mft", normal(F, K, K), S).contiguous()


def ours(X: Tensor, iterations: int, rule: str = "iss") -> Tensor:
    with torch.no_grad():
        return auxiva.demix(X, CLASSICAL["laplace"](), rule, iterations).projected_back().Y


def plain(X: Tensor, iterations: int, rule: str) -> Tensor:
    """The same by the reference in torch."""
    available, kernels.available = kernels.available, lambda X: False
    try:
        return ours(X, iterations, rule)
    finally:
        kernels.available = available


def compare(rule: str, K: int, seconds: float, iterations: int, rounds: int, floor: float) -> dict:
    """Rows for the project and each peer; `floor`: bytes a second of a copy."""
    X = mixture(K, seconds)
    calls = {
        "ssml": lambda: ours(X, iterations, rule),
        "ssml, torch": lambda: plain(X, iterations, rule),
    }
    calls |= {
        name: lambda call=call: call(X, iterations) for name, call in peers.laplace(rule, K).items()
    }
    seconds_of = in_turn(calls, rounds)
    unit = sorted(seconds_of["ssml"])[rounds // 2]
    # the mixture read twice and written once an iteration
    least = 3 * iterations * X.numel() * X.element_size() / floor
    rows = {name: row(found, unit) for name, found in seconds_of.items()}
    return rows | {"memory, 3 passes an iteration": row([least], unit)}


def growth(seconds: float, iterations: int, rounds: int) -> dict:
    """How the project's time grows with one thing at a time."""
    cases = {
        f"{iterations} iterations, 2 x {seconds:g} s": (mixture(2, seconds), iterations),
        f"{2 * iterations} iterations": (mixture(2, seconds), 2 * iterations),
        f"{2 * seconds:g} s": (mixture(2, 2 * seconds), iterations),
        "a batch of 8": (mixture(2, seconds, 8), iterations),
        "3 channels": (mixture(3, seconds), iterations),
        "4 channels": (mixture(4, seconds), iterations),
        "8 channels": (mixture(8, seconds), iterations),
    }
    calls = {name: lambda X=X, n=n: ours(X, n) for name, (X, n) in cases.items()}
    seconds_of = in_turn(calls, rounds)
    unit = sorted(next(iter(seconds_of.values())))[rounds // 2]
    return {name: row(found, unit) for name, found in seconds_of.items()}


def main() -> None:
    chosen = options(__doc__ or "", rounds=11, iterations=20)
    start = time.perf_counter()
    ours(mixture(2, 1), 1)
    first = {"first call, kernels compiled or read": row([time.perf_counter() - start], 1)}
    floor = bandwidth()
    tables = {"start": first}
    for rule in UPDATES:
        for K, seconds in CASES.items():
            case = f"{rule}, {K} channels, {seconds} s, {chosen.iterations} iterations"
            tables[case] = compare(rule, K, seconds, chosen.iterations, chosen.rounds, floor)
    tables["growth, iss"] = growth(CASES[2], chosen.iterations, chosen.rounds)
    title = f"Laplace-IVA, STFT 2048/512, complex64; a copy moves {floor / 1e9:.1f} GB/s"
    show(title, tables, chosen.json)


if __name__ == "__main__":
    main()
