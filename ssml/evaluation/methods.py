"""A method = (source model, update rule, iterations): from its parameters to separated mixtures."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from ssml.config import layout
from ssml.config.names import BOUND_NAMES, BoundName
from ssml.config.params import Params
from ssml.config.sections import MethodParams
from ssml.files import own
from ssml.files.errors import UserError
from ssml.iva import auxiva, bounds, checkpoint, demixing
from ssml.iva.losses import pit, si_sdr_matrix
from ssml.iva.models import CLASSICAL, SourceModel
from ssml.iva.stft import Stft
from ssml.separation.models import Checked

from . import peers
from .peers import Peer


class Method(NamedTuple):
    model: SourceModel | BoundName | Peer  # a bound needs the references of each mixture
    rule: str
    iterations: int
    stft: Stft
    taps: int = 0  # past frames
    delay: int = demixing.DELAY  # to the first of them, in frames


class Separated(NamedTuple):
    """The outputs of one mixture, in the order of the references."""

    est: Tensor  # (K, N); zeros if the method failed
    curve: dict[int, list[float]]  # iteration: SI-SDR in dB of each source; 0 is the mixture
    failed: bool  # an output was silent, or not finite


def build(params: Params, name: str) -> Method:
    """Build the method `name` of the section `separate`."""
    if name not in params.separate.methods:
        known = ", ".join(sorted(params.separate.methods))
        raise UserError(f"separate.methods: no '{name}' among {known}")
    method = params.separate.methods[name]
    how, path = (method.rule, method.iterations), layout.model_of(method)
    past = (method.taps, method.delay)
    if path is not None:
        if network := own_network(params, method):
            own.bring(network)  # params.yaml names it, not the model's card alone
        trained = checkpoint.load(path)
        network = trained.network.to(checkpoint.device())
        return Method(network, *how, trained.stft, *past)
    stft = Stft(**(method.stft or params.separate.stft).model_dump())
    if method.model in BOUND_NAMES:
        return Method(cast(BoundName, method.model), *how, stft, *past)
    if method.is_peer:
        return Method(peers.build(method.model, method.options), *how, stft)
    try:
        if method.is_own:
            model = own_model(method.model, method.options)
        else:
            model = CLASSICAL[method.model](**method.options)
    except TypeError as error:
        raise UserError(f"separate.methods.{name}.options: {error}") from None
    return Method(model, *how, stft, *past)


def own_network(params: Params, method: MethodParams) -> str | None:
    """`module:Class` of the network, as the parameters have it, of a model that is trained."""
    variant = params.train.variants.get(method.model)
    name = variant.network["name"] if variant else method.network
    return name if own.is_own(name) else None


def own_model(name: str, options: Mapping[str, Any]) -> SourceModel:
    """A user's own source model: a function of the power, or a class that makes one by `options`.

    Raises `TypeError` where it does not take them.
    """
    found = own.bring(name)
    if isinstance(found, type) or options:
        found = found(**options)
    if not callable(found):
        raise UserError(f"model: {name} is of type {type(found).__name__}, not a function")
    return Checked(found)


MEASURED = (*range(1, 7), 8, 10, 12, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 1000)


def iterations_to_measure(iterations: int) -> set[int]:
    """The iterations whose SI-SDR is measured, and the last.

    Projection back, inverse STFT and SI-SDR cost more than an iteration of a classical model.
    """
    return {0, iterations} | {i for i in MEASURED if i < iterations}


def _images(method: Method, X: Tensor, seen: Tensor, S: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Yield iteration and outputs (K, F, T), for `iterations_to_measure`; iteration 0 gives X.

    Of a peer, the last alone. seen: the mixture by which filters are found, see `Stft.pair`.
    """
    if method.model == "least-squares":
        past = demixing.with_past(X, method.taps, method.delay)
        yield from enumerate((X, bounds.least_squares(past, S)))
        return
    if isinstance(method.model, Peer):
        yield from ((0, X), (method.iterations, method.model(X, method.rule, method.iterations)))
        return
    model = bounds.TrueSource(S) if isinstance(method.model, str) else method.model
    chosen = iterations_to_measure(method.iterations)
    how = model, method.rule, method.iterations, None, method.taps, method.delay
    for i, state in enumerate(auxiva.iterate(seen, *how)):
        if i in chosen:
            yield i, state._replace(X=X).projected_back().Y


@torch.no_grad()
def separate(method: Method, mix: Tensor, ref: Tensor) -> Separated:
    """Separate a mixture (M, N) and follow its SI-SDR against the references (K, N)."""
    device = checkpoint.device()  # where `build` put the network
    mix, ref = mix.to(device), ref.to(device)
    # before the first iteration every output is the mixture, at the reference microphone
    curve, est, order = {}, mix[:1].expand_as(mix), torch.arange(len(ref))
    # torch's STFT is not contiguous: each measured iteration would copy every bin
    X, seen, S = (Z.contiguous() for Z in (*method.stft.pair(mix), method.stft.forward(ref)))
    for i, Y in _images(method, X, seen, S):
        if i:
            est = method.stft.inverse(Y, mix.shape[-1])
            est = auxiva.with_rumble(est, mix[0], method.stft, method.taps)
        matrix = si_sdr_matrix(est.double(), ref.double())
        order = pit(-torch.nan_to_num(matrix, nan=-1e3))[1]
        curve[i] = matrix[order, torch.arange(len(ref))].tolist()
    # non-finite demixing matrices give silence: see `demixing.project_back`
    failed = not bool(torch.isfinite(est).all() and est.any(-1).all())
    est = torch.zeros_like(ref) if failed else est[order]
    return Separated(est.cpu(), curve, failed)
