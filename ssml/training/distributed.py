"""Training on several devices: a process each, gradients averaged every step.

On one machine the processes find each other through a file, and communicate over the loopback
interface only. Where torchrun has started them, on one or several machines, RANK and WORLD_SIZE are
set, and LOCAL_RANK among those of the machine; its rendezvous is used instead.
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
        """A GPU of its own on this machine if there are any, else the CPU."""
        index = int(os.environ["LOCAL_RANK"]) if _by_torchrun() else self.rank
        return torch.device("cuda", index) if torch.cuda.is_available() else torch.device("cpu")

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
    """Raise `UserError` where `count` is not torchrun's number of processes, if it started them.

    Also where this machine has GPUs, but fewer than its processes need.
    """
    here = count
    if _by_torchrun():
        world = int(os.environ["WORLD_SIZE"])
        if world != count:
            raise UserError(
                f"train.devices: {count}, but torchrun started {world} processes; make them equal"
            )
        here = int(os.environ.get("LOCAL_WORLD_SIZE", world))
    if torch.cuda.is_available() and torch.cuda.device_count() < here:
        there = torch.cuda.device_count()
        if here < count:
            raise UserError(f"torchrun started {here} processes here, but there are {there} GPUs")
        raise UserError(f"train.devices: {count}, but there are {there} GPUs")


def _by_torchrun() -> bool:
    return {"RANK", "WORLD_SIZE", "LOCAL_RANK"} <= os.environ.keys()


def each(count: int, work: Callable[..., None], *arguments: Any) -> None:
    """Call `work(share, *arguments)` in `count` processes and wait for all of them.

    A single process is this one. `work` must be defined at the top of a module. Where one process
    fails, the others are ended, and this one exits too.
    """
    if _by_torchrun():
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
