"""A training step through unrolled AuxIVA-ISS: time and peak memory, each way in a process.

On a GPU where there is one, whose memory it is then. `repeatable`: as with SSML_DETERMINISTIC.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from ssml.files import allocator
from ssml.iva import auxiva, checkpoint
from ssml.iva.losses import LOSSES, Sources, pit
from ssml.iva.models import NETWORKS
from ssml.iva.stft import Stft
from ssml.training import distributed

from . import peers
from .measure import options, row, show

WAYS = ("ssml", "ssml, repeatable", "ssml, recomputing")
THEIRS = ("torchiva", "torchiva, recomputing")
DEVICE = checkpoint.device()


class Gain(nn.Module):
    """A source model that costs next to nothing: what remains is not the network's."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, power: Tensor, memory: Any = None) -> tuple[Tensor, Any]:
        return self.gain / (power + power.mean((-2, -1), keepdim=True)), memory


class OnSpectra(nn.Module):
    """`model` as torchiva calls it, with outputs instead of their power."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, Y: Tensor) -> Tensor:
        return self.model(torch.view_as_real(Y).square().sum(-1))[0]


def step(way: str, model: nn.Module, mix: Tensor, ref: Tensor, iterations: int) -> None:
    """Forward and backward of one step; the loss is the same for all ways."""
    stft, recompute = Stft(2048, 512), way.endswith("recomputing")
    X = stft.forward(mix)
    if way.startswith("torchiva"):
        separator = peers.torchiva().T_ISS(
            n_iter=iterations, model=OnSpectra(model), use_dmc=recompute, eps=1e-6
        )
        Y = separator(X)
    else:
        Y = auxiva.demix(X, model, "iss", iterations, recompute).projected_back().Y
    est = Sources(stft.inverse(Y, mix.shape[-1]), Y)
    cost = LOSSES["sdr"](est, Sources(ref, stft.forward(ref)))
    pit(cost)[0].mean().backward()


def one(
    way: str, network: str, iterations: int, rounds: int, threads: int, length: int
) -> dict[str, Any]:
    """Seconds of each round but the first, and the peak of memory in MB; for a process alone.

    `length`: of the four mixtures, s.
    """
    allocator.keep_freed()  # as `pipeline.train` does, for all ways
    if way.endswith("repeatable"):
        os.environ["SSML_DETERMINISTIC"] = "1"
        distributed.repeatable()
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    n = 16000 * length
    ref = torch.randn(4, 2, n) * torch.rand(4, 2, n // 512 + 1).repeat_interleave(512, -1)[..., :n]
    mix = torch.einsum("bmk,bkn->bmn", torch.randn(4, 2, 2), ref)
    mix, ref = mix.to(DEVICE), ref.to(DEVICE)
    model = (NETWORKS["glu"](1025, hidden=128) if network == "glu" else Gain()).to(DEVICE)
    seconds = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        step(way, model, mix, ref, iterations)
        if DEVICE.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return {"seconds": seconds[1:], "peak": peak()}


def peak() -> float:
    """The most memory that this process held so far, MB."""
    if DEVICE.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def apart(*arguments: Any) -> dict[str, Any]:
    """`one` in a process of its own: a peak of memory is a process's."""
    command = [sys.executable, "-m", "benchmarks.train", "--one", json.dumps(arguments)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def compare(ways: Sequence[str], network: str, iterations: int, rounds: int, *how: int) -> dict:
    found: dict[str, list[dict]] = {way: [] for way in ways}
    for _ in range(2):  # in turn
        for way in ways:
            found[way].append(apart(way, network, iterations, rounds, *how))
    seconds = {way: [s for run in runs for s in run["seconds"]] for way, runs in found.items()}
    unit = median(seconds["ssml"])
    peaks = {way: max(run["peak"] for run in runs) for way, runs in found.items()}
    return {way: row(seconds[way], unit) | {"peak MB": peaks[way]} for way in ways}


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(one(*json.loads(sys.argv[2]))))
        return
    chosen = options(__doc__ or "", rounds=3, iterations=15, seconds=6)
    ways, how = WAYS, (chosen.threads, chosen.seconds)
    if find_spec("torchiva"):
        ways += THEIRS
    else:
        print("torchiva: not installed, left out", file=sys.stderr)
    tables = {}
    for network in ("glu", "nearly none"):
        case = f"network: {network}, {chosen.iterations} iterations, 4 x 2 x {chosen.seconds} s"
        tables[case] = compare(ways, network, chosen.iterations, chosen.rounds, *how)
    flat = {n: apart("ssml, recomputing", "glu", n, 1, *how) for n in (5, 50)}
    tables["ssml, recomputing, by iterations"] = {
        f"{n} iterations": {"s": run["seconds"][0], "peak MB": run["peak"]}
        for n, run in flat.items()
    }
    show("A training step", tables, chosen.json)


if __name__ == "__main__":
    main()
