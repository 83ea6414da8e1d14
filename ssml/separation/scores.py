"""How close outputs are to known sources, whatever their order."""

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from ssml.files.errors import UserError
from ssml.iva.losses import pit, si_sdr_matrix

Array = TypeVar("Array", np.ndarray, Tensor)


def si_sdr(est: Array, ref: Array) -> tuple[Array, Array]:
    """SI-SDR in dB of each source (..., K), and its output, under the best order of the outputs.

    est, ref (..., K, N), NumPy or torch; the order (..., K) holds indices into `est`. Computed in
    double precision (Le Roux et al. 2019). Raises `UserError` for shapes that differ.
    """
    e, r = torch.as_tensor(est), torch.as_tensor(ref)
    if e.shape != r.shape or e.ndim < 2:
        raise UserError(
            f"est {tuple(e.shape)}, ref {tuple(r.shape)}: both must be (..., sources, samples)"
        )
    matrix = si_sdr_matrix(e.double(), r.double())
    order = pit(-torch.nan_to_num(matrix, nan=-1e3))[1]
    found = matrix.take_along_dim(order[..., None, :], -2)[..., 0, :]
    if isinstance(est, np.ndarray):
        return found.numpy(), order.numpy()  # type: ignore[return-value]
    return found, order  # type: ignore[return-value]
