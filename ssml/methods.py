"""A method = (source model, update rule, iterations): from its parameters to separated mixtures."""

from typing import NamedTuple

import torch
from torch import Tensor

from . import checkpoint, iva, layout
from .errors import UserError
from .losses import pit, si_sdr_matrix
from .models import CLASSICAL, SourceModel
from .params import Params
from .stft import Stft
from .updates import UPDATES, Rule


class Method(NamedTuple):
    model: SourceModel
    rule: Rule
    iterations: int
    stft: Stft


class Separated(NamedTuple):
    """The outputs of one mixture, in the order of the references."""

    est: Tensor  # (K, N); zeros if the method failed
    curve: list[list[float]]  # SI-SDR in dB [iteration][source], iteration 0 is the mixture
    failed: bool  # an output was silent, or not finite


def build(params: Params, name: str) -> Method:
    """Build the method `name` of the section `separate`."""
    if name not in params.separate.methods:
        known = ", ".join(sorted(params.separate.methods))
        raise UserError(f"separate.methods: no '{name}' among {known}")
    method = params.separate.methods[name]
    path = layout.trained(method)
    if path is None:
        stft = Stft(**params.separate.stft.model_dump())
        model = CLASSICAL[method.model]()
    else:
        trained = checkpoint.load(path)
        model, stft = trained.network.to(checkpoint.device()), trained.stft
    return Method(model, UPDATES[method.rule], method.iterations, stft)


@torch.no_grad()
def separate(method: Method, mix: Tensor, ref: Tensor) -> Separated:
    """Separate a mixture (M, N) and follow its SI-SDR against the references (K, N)."""
    device = checkpoint.device()  # where `build` put the network
    mix, ref = mix.to(device), ref.to(device)
    curve, est, order = [], mix, torch.arange(len(ref))
    X = method.stft.forward(mix)
    for i, state in enumerate(iva.iterate(X, method.model, method.rule, method.iterations)):
        # before the first iteration every output is the mixture, at the reference microphone
        images = method.stft.inverse(state.projected_back().Y, mix.shape[-1])
        est = images if i else mix[:1].expand_as(mix)
        matrix = si_sdr_matrix(est.double(), ref.double())
        order = pit(-torch.nan_to_num(matrix, nan=-1e3))[1]
        curve.append(matrix[order, torch.arange(len(ref))].tolist())
    # filters that are no numbers give silence: see `demixing.project_back`
    failed = not bool(torch.isfinite(est).all() and est.any(-1).all())
    est = torch.zeros_like(ref) if failed else est[order]
    return Separated(est.cpu(), curve, failed)
