"""Trained source models on disk: weights as safetensors, and their card, a JSON file beside them.

Nothing is ever unpickled, and no code is imported because a card names it.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from ssml.files import own
from ssml.files.errors import UserError
from ssml.files.io import read_json, write_bytes, write_json

from . import rumble
from .demixing import DELAY
from .models import NETWORKS
from .stft import Stft


class Trained(NamedTuple):
    """A source model with the STFT it was trained for."""

    network: nn.Module
    stft: Stft
    card: dict[str, Any]

    @property
    def rule(self) -> str:
        """Name of the update rule to separate with: the card's, or the one it was trained with."""
        return self.card.get("separate", {}).get("rule") or self.card.get("rule", "iss")

    @property
    def iterations(self) -> int:
        """Iterations to separate with."""
        return self.card.get("separate", {}).get("iterations", 20)

    @property
    def taps(self) -> int:
        """Past frames that are filtered too, and `delay` to the first of them, in frames."""
        return self.card.get("taps", 0)

    @property
    def delay(self) -> int:
        return self.card.get("delay", DELAY)

    @property
    def fs(self) -> int:
        """Sampling rate of the model in Hz."""
        return self.card.get("fs", 16000)


def build(args: Mapping[str, Any], bins: int, find: Callable[[str], Any] = own.bring) -> nn.Module:
    """The network `args["name"]` with its other arguments, for `bins` frequencies.

    The name is one of `NETWORKS`, or `module:Class`, a user's own, which `find` gives.
    """
    if not isinstance(args, Mapping):
        raise UserError(f"network: {args!r} is no mapping with a name")
    name, rest = args.get("name", ""), {k: v for k, v in args.items() if k != "name"}
    if name in NETWORKS:
        return _construct(NETWORKS[name], bins, rest)
    if not own.is_own(name):
        known = ", ".join(sorted(NETWORKS))
        raise UserError(f"network.name: no '{name}' among {known}; an own one is module:Class")
    network = _construct(_own_class(name, find(name)), bins, rest)
    _check_weights(name, network, bins)
    return network


def _construct(make: Callable[..., nn.Module], bins: int, args: dict[str, Any]) -> nn.Module:
    try:
        return make(bins=bins, **args)
    except (TypeError, ValueError, RuntimeError, MemoryError) as error:
        reason = " ".join(str(error).partition(") ")[2].split() or str(error).split())
        raise UserError(f"network: {reason}") from error


def _own_class(name: str, found: Any) -> type[nn.Module]:
    """`found`, where it is a network; nothing else is called, for a card may name anything."""
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        what = found.__name__ if isinstance(found, type) else type(found).__name__
        raise UserError(f"network.name: {name} is no class of torch.nn.Module but {what}")
    if "bins" not in inspect.signature(found).parameters:
        raise UserError(f"network.name: {name} takes no argument bins, the number of frequencies")
    return found


@torch.no_grad()
def _check_weights(name: str, network: nn.Module, bins: int) -> None:
    """A `UserError` where an own network's answer to two sources is no weights and memory."""
    power = torch.ones(2, bins, 8).cumsum(-1)
    try:
        inspect.signature(network.forward).bind(power, None)
    except TypeError as error:
        wrong = f"network.name: {name}.forward does not take (power, memory): {error}"
        raise UserError(wrong) from error
    given = network.eval()(power, None)
    network.train()
    U = given[0] if isinstance(given, tuple) and len(given) == 2 else None
    if not isinstance(U, Tensor):
        raise UserError(f"network.name: {name} returned no tuple (weights, memory)")
    if U.shape != power.shape:
        shapes = f"{tuple(U.shape)} for power {tuple(power.shape)}"
        raise UserError(f"network.name: {name} returned weights {shapes}")
    if not bool((U > 0).all() and torch.isfinite(U).all()):
        raise UserError(f"network.name: {name} returned weights that are not positive and finite")


def save(path: Path | str, tensors: Mapping[str, Tensor], card: Mapping[str, Any]) -> None:
    """Write the network's tensors to `path` and its card beside it.

    The card holds `network`, `stft`, and the facts of the training.
    """
    path = Path(path)
    data = save_tensors({key: value.detach().cpu().contiguous() for key, value in tensors.items()})
    write_json(path.with_suffix(".json"), dict(card))
    write_bytes(path, data)


def load(path: Path | str) -> Trained:
    """Read a trained source model, in evaluation mode, on the CPU.

    A network that is a user's own must be imported already: a card has nothing imported. Raises
    `UserError` if it is not, or if a file is missing or was not written by `save`.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such model; train it first, or correct the name")
    about = path.with_suffix(".json")
    card = read_json(about)
    try:
        stft = Stft(**card["stft"])
        low = rumble.lowest(card.get("above", 0), stft.n_fft, card.get("fs", 16000))
        stft = replace(stft, low=low)
        network = build(card["network"], stft.bins, own.imported)
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{about}: no model card ({error!r})") from error
    except UserError as error:
        raise UserError(f"{about}: {error}") from error
    tensors = read_tensors(path)
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: does not fit its card ({reason})") from error
    if not all(bool(torch.isfinite(value).all()) for value in tensors.values()):
        raise UserError(f"{path}: holds weights that are not finite; train again")
    return Trained(rumble.hide(network.eval(), low), stft, card)


def begin(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy the weights `tensors` of another network into `network`.

    Weights of `network` that are not in `tensors` keep their values. Raises `UserError` if
    `tensors` holds weights that `network` lacks, or weights of another shape.
    """
    try:
        unknown = network.load_state_dict(tensors, strict=False).unexpected_keys
    except RuntimeError as error:
        raise UserError(f"start: {' '.join(str(error).split())}") from error
    if unknown:
        raise UserError(f"start: the network has no {', '.join(unknown)}; give it as many layers")


def read_tensors(path: Path | str) -> dict[str, Tensor]:
    """The tensors of a safetensors file."""
    try:
        return load_tensors(Path(path).read_bytes())
    except (OSError, SafetensorError) as error:
        message = f"{path}: not a safetensors file ({error}); delete it and train again"
        raise UserError(message) from error


def parameters(network: nn.Module) -> int:
    """Number of trained parameters."""
    return sum(value.numel() for value in network.parameters() if value.requires_grad)


def device() -> torch.device:
    """The device to compute on: a GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
