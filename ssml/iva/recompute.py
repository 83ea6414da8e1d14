"""Unrolled iterations whose memory does not grow with their number (Saijo & Scheibler 2022).

The demixing matrices of each iteration are stored; everything else is computed again in the
backward pass. `torch.utils.checkpoint` around each iteration stores as little, but allocates it
between the large arrays, which keeps the allocator from using the freed memory again: a process
would still grow with the iterations. Here the stored matrices are one array.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from .models import SourceModel

Step = Callable[..., tuple[Tensor, Any]]


def iterate_and_recompute(
    step: Step, model: SourceModel, iterations: int, W: Tensor, P: Tensor
) -> Tensor:
    """Demixing matrices after `iterations` calls of `W, memory = step(W, P, memory, model=model)`.

    P and the parameters of `model`, where it is a module, receive gradients.
    """
    parameters = model.parameters() if isinstance(model, nn.Module) else ()
    wanted = [parameter for parameter in parameters if parameter.requires_grad]
    return _Iterated.apply(step, model, iterations, W, P, *wanted)  # type: ignore[return-value]


class _Iterated(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, step: Step, model: Any, iterations: int, W: Tensor, P: Tensor, *parameters: Tensor
    ) -> Tensor:
        ctx.step, ctx.model = step, model
        ctx.memories, ctx.random = [], []
        filters, memory = W.new_empty(0), None
        first = W
        for i in range(iterations):
            ctx.memories.append(memory)
            ctx.random.append(_random_state(P.device))
            W, memory = step(W, P, memory, model=model)
            if i == 0:
                filters = W.new_empty(iterations, *W.shape)
            filters[i] = W
        ctx.save_for_backward(first, filters, P, *parameters)
        return W.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        first, filters, P, *parameters = ctx.saved_tensors
        wants_P = ctx.needs_input_grad[4]
        totals: list[Tensor | None] = [None] * (1 + len(parameters))  # of P and the parameters
        adjoints: list[Tensor | None] = [given]  # of W and of what the model remembers
        for i in range(len(ctx.memories) - 1, -1, -1):
            W = (filters[i - 1] if i else first).detach().requires_grad_()
            leaves = [_detached(value) for value in _leaves(ctx.memories[i])]
            memory = _rebuilt(ctx.memories[i], iter(leaves))
            mixture = P.detach().requires_grad_(wants_P)
            state = [W, *leaves]
            with torch.enable_grad(), _as_before(ctx.model, ctx.random[i], P.device):
                outputs = ctx.step(W, mixture, memory, model=ctx.model)
                found = _gradients(outputs, adjoints, [*state, mixture, *parameters])
            adjoints = found[: len(state)]
            totals = [_sum(a, b) for a, b in zip(totals, found[len(state) :], strict=True)]
        return None, None, None, adjoints[0], *totals


def _gradients(
    outputs: tuple[Tensor, Any], adjoints: Sequence[Tensor | None], inputs: Sequence[Any]
) -> list[Tensor | None]:
    """Adjoints of the inputs from those of W and the memory; None where nothing depends on one."""
    results = [outputs[0], *_leaves(outputs[1])]
    # the memory of the last iteration has no adjoint: nothing reads it
    pairs = [
        (result, adjoint)
        for result, adjoint in zip(results, [*adjoints, *[None] * len(results)], strict=False)
        if adjoint is not None and isinstance(result, Tensor) and result.requires_grad
    ]
    wanted = [x for x in inputs if isinstance(x, Tensor) and x.requires_grad]
    known, given = zip(*pairs, strict=True)
    found = iter(torch.autograd.grad(known, wanted, given, allow_unused=True))
    return [next(found) if isinstance(x, Tensor) and x.requires_grad else None for x in inputs]


def _leaves(memory: Any) -> list[Any]:
    """The values in a memory, which may nest tuples, lists and dictionaries (torch has no public
    function for that)."""
    if isinstance(memory, tuple | list | dict):
        parts = memory.values() if isinstance(memory, dict) else memory
        return [leaf for part in parts for leaf in _leaves(part)]
    return [memory]


def _rebuilt(memory: Any, leaves: Iterator[Any]) -> Any:
    """A memory of the same structure that holds other `leaves`."""
    if isinstance(memory, dict):
        filled = copy.copy(memory)
        filled.update({key: _rebuilt(part, leaves) for key, part in memory.items()})
        return filled
    if isinstance(memory, tuple | list):
        parts = [_rebuilt(part, leaves) for part in memory]
        return type(memory)(*parts) if hasattr(memory, "_fields") else type(memory)(parts)
    return next(leaves)


def _detached(value: Any) -> Any:
    """A tensor at which gradients stop; any other value as it is."""
    if not isinstance(value, Tensor):
        return value
    return value.detach().requires_grad_(value.is_floating_point() or value.is_complex())


def _sum(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    return b if a is None else a if b is None else a + b


def _random_state(device: torch.device) -> list[Tensor]:
    """States of the generators that a model may draw from: dropout must repeat its choice."""
    states = [torch.get_rng_state()]
    return [*states, torch.cuda.get_rng_state(device)] if device.type == "cuda" else states


@contextmanager
def _as_before(model: Any, random: Sequence[Tensor], device: torch.device) -> Iterator[None]:
    """Repeat the random draws of the forward pass, then restore generators and buffers.

    Without that a batch would count twice in running statistics.
    """
    buffers = list(model.buffers()) if isinstance(model, nn.Module) else []
    before = [buffer.clone() for buffer in buffers]
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.set_rng_state(random[0])
        for state in random[1:]:
            torch.cuda.set_rng_state(state, device)
        try:
            yield
        finally:
            with torch.no_grad():
                for buffer, value in zip(buffers, before, strict=True):
                    buffer.copy_(value)
