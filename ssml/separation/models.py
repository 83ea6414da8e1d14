"""Source models as a user gives them: a name, a file, or any callable."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ssml import pretrained
from ssml.files.errors import UserError
from ssml.iva import checkpoint
from ssml.iva.checkpoint import Trained
from ssml.iva.models import CLASSICAL


class Checked(nn.Module):
    """Any callable as a source model: the weights it returns are checked and broadcast."""

    def __init__(self, given: Callable[..., Any]) -> None:
        super().__init__()
        self.given = given  # a submodule where it is a module
        self.remembers = _remembers(given)
        if isinstance(given, nn.Module):
            self.training = given.training

    def forward(self, power: Tensor, memory: Any = None) -> tuple[Tensor, Any]:
        """Weights and memory for the power (..., K, F, T); `UserError` for what is no weights."""
        # a bin with nothing to separate may overflow: the model sees silence there
        seen = power.nan_to_num(0, 0, 0).to(self._dtype or power.dtype)
        result = self.given(seen, memory) if self.remembers else self.given(seen)
        U, memory = result if isinstance(result, tuple) and len(result) == 2 else (result, None)
        if not isinstance(U, Tensor):
            raise UserError(f"model: returned {type(U).__name__}, not a tensor of weights")
        try:
            U = U.to(power).expand_as(power)
        except RuntimeError:
            shapes = f"{tuple(U.shape)} for power {tuple(power.shape)}"
            raise UserError(f"model: returned weights {shapes}") from None
        if not (U > 0).all() or not torch.isfinite(U).all():
            raise UserError("model: returned weights that are not positive and finite")
        return U, memory

    @property
    def _dtype(self) -> torch.dtype | None:
        """The precision of a network's parameters."""
        return next((p.dtype for p in self.parameters() if p.is_floating_point()), None)


def _remembers(model: Callable[..., Any]) -> bool:
    """Whether `model` takes a memory: a second argument with that name, or without a default."""
    try:
        called = model.forward if isinstance(model, nn.Module) else model
        second = list(inspect.signature(called).parameters.values())[1]
    except (ValueError, TypeError, IndexError):
        return False
    required = second.default is second.empty and second.kind is second.POSITIONAL_OR_KEYWORD
    return second.name == "memory" or required


def load(model: str | Path) -> Trained:
    """A trained source model with its STFT and card, by path or by the name of a shipped model.

    It is in evaluation mode, on the CPU. Raises `UserError` where it is missing or broken.
    """
    return checkpoint.load(find_model(model))


def find_model(model: str | Path) -> Path:
    """The file of a trained model, given by path or by the name of a shipped model."""
    if isinstance(model, Path) or "/" in model or model.endswith(".safetensors"):
        return Path(model)
    shipped = pretrained.path(model)
    if shipped is None:
        known = ", ".join([*CLASSICAL, *pretrained.names()])
        raise UserError(f"model: no {model!r} among {known}; or name a .safetensors file")
    return shipped
