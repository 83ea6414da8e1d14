"""Work on the bins of a batch of mixtures, divided among threads."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import gcd
from typing import Any

import numpy as np
import torch
from torch import Tensor

BINS = 64  # in a share, at least: to hand over fewer takes longer than to compute them


class Shares:
    """Calls a compiled function for every mixture and share of its bins, on torch's threads."""

    def __init__(self, mixtures: int, F: int) -> None:
        threads = torch.get_num_threads()
        # as few shares a mixture as keep all threads busy
        self.per_mixture = max(1, min(threads // gcd(mixtures, threads), F // BINS))
        edges = np.linspace(0, F, self.per_mixture + 1).round().astype(int).tolist()
        parts = list(enumerate(itertools.pairwise(edges)))
        self.work = [(b, i, *part) for b in range(mixtures) for i, part in parts]
        self.pool = ThreadPoolExecutor(threads) if len(self.work) > 1 and threads > 1 else None

    def each(self, task: Callable[..., Any]) -> None:
        """Call `task(mixture, share, first, last)` for all of the work, and wait."""
        if self.pool is None:
            for share in self.work:
                task(*share)
        else:
            for future in [self.pool.submit(task, *share) for share in self.work]:
                future.result()

    def __enter__(self) -> "Shares":
        return self

    def __exit__(self, *_: object) -> None:
        if self.pool is not None:
            self.pool.shutdown()


def flat(x: Tensor, axes: int) -> np.ndarray:
    """A view, or a copy if it must be one, with one axis of mixtures before the last `axes`."""
    x = x.detach().resolve_conj().contiguous()
    return x.reshape(-1, *x.shape[x.ndim - axes :]).numpy()
