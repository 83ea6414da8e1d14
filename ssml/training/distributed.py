"""Training on several devices of one machine: a process each, gradients averaged every step.

The processes find each other through a file, and communicate over the loopback interface only.
Where torchrun has started them (RANK and WORLD_SIZE are set), its rendezvous is used instead.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, distributed, nn
from torch.multiprocessing.spawn import ProcessExitedException, spawn

from ssml.files.errors import UserError


class Share(NamedTuple):
    """The rank of this process and the number of processes."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes, logs and validates."""
        return self.rank == 0

    def device(self) -> torch.device:
        """A GPU of its own if there are any, else the CPU."""
        return torch.device("cuda", self.rank) if torch.cuda.is_available() else torch.device("cpu")

    def synchronise(self, module: nn.Module) -> nn.Module:
        """`module` wrapped so that `backward` averages its gradients over the processes, once."""
        return nn.parallel.DistributedDataParallel(module) if self.count > 1 else module

    def mean(self, value: Tensor) -> float:
        """The mean of a number over the processes."""
        value = value.detach().clone()
        if self.count > 1:
            distributed.all_reduce(value)
        return float(value) / self.count


def repeatable() -> None:
    """Have torch give the same bits each time on a GPU too, where SSML_DETERMINISTIC is set.

    On a CPU it does so anyway. An operation that has no such form on the GPU is an error then.
    """
    if os.environ.get("SSML_DETERMINISTIC"):
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts
        torch.use_deterministic_algorithms(True)


def check(count: int) -> None:
    """Raise `UserError` where there are GPUs, but fewer than `count` processes need."""
    if torch.cuda.is_available() and torch.cuda.device_count() < count:
        raise UserError(f"train.devices: {count}, but there are {torch.cuda.device_count()} GPUs")


def each(count: int, work: Callable[..., None], *arguments: Any) -> None:
    """Call `work(share, *arguments)` in `count` processes and wait for all of them.

    A single process is this one. `work` must be defined at the top of a module. Where one process
    fails, the others are ended, and this one exits too.
    """
    if "WORLD_SIZE" in os.environ:
        _work(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), "env://", work, arguments)
    elif count == 1:
        work(Share(), *arguments)
    else:
        with tempfile.TemporaryDirectory() as folder:
            place = (Path(folder) / "meet").as_uri()
            try:
                spawn(_work, (count, place, work, arguments), count)
            except ProcessExitedException as error:  # that process has printed the reason
                sys.exit(error.exit_code if error.exit_code > 0 else 1)


def _work(
    rank: int, count: int, place: str, work: Callable[..., None], arguments: tuple[Any, ...]
) -> None:
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    if place != "env://":
        os.environ["GLOO_SOCKET_IFNAME"] = os.environ["NCCL_SOCKET_IFNAME"] = "lo"
        torch.set_num_threads(max(1, torch.get_num_threads() // count))
    distributed.init_process_group(backend, place, rank=rank, world_size=count)
    if backend == "gloo":  # all are connected before one may fail
        distributed.barrier()
    try:
        work(Share(rank, count), *arguments)
    finally:
        distributed.destroy_process_group()
