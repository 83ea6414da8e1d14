"""How close outputs are to known sources, whatever their order."""

from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from ssml.files.errors import UserError, install
from ssml.iva.losses import pit, si_sdr_matrix

Array = TypeVar("Array", np.ndarray, Tensor)


def si_sdr(est: Array, ref: Array) -> tuple[Array, Array]:
    """SI-SDR in dB of each source (..., K), and its output, under the best order of the outputs.

    est, ref (..., K, N), NumPy or torch; the order (..., K) holds indices into `est`. Computed in
    double precision (Le Roux et al. 2019). Raises `UserError` for shapes that differ.
    """
    e, r = _pair(est, ref)
    matrix = si_sdr_matrix(e, r)
    order = pit(-torch.nan_to_num(matrix, nan=-1e3))[1]
    found = matrix.take_along_dim(order[..., None, :], -2)[..., 0, :]
    return _like(found, est), _like(order, est)


def sdr(est: Array, ref: Array, taps: int = 512) -> tuple[Array, Array]:
    """SDR in dB of each source (..., K), and its output, under the best order of the outputs.

    est, ref (..., K, N), NumPy or torch; the order (..., K) holds indices into `est`. The SDR is
    that of BSS-eval (Vincent et al. 2006): each reference may pass a filter of `taps` taps. It is
    computed in double precision by `fast_bss_eval`. Raises `UserError` for shapes that differ, for
    silent references, for N <= taps, and without that package.
    """
    e, r = _pair(est, ref)
    if e.shape[-1] <= taps:
        raise UserError(f"ref: {e.shape[-1]} samples; the SDR with {taps} taps needs more")
    if not r.any(-1).all():
        raise UserError("ref: a source is silent; its SDR is not defined")
    try:
        import fast_bss_eval
    except ImportError:
        raise UserError(f"fast_bss_eval is not installed; {install('pipeline')}") from None
    compare: Any = fast_bss_eval.sdr  # its own types are narrower than what it takes
    found, order = compare(r, e, filter_length=taps, return_perm=True)
    return _like(found, est), _like(order, est)


def _pair(est: Any, ref: Any) -> tuple[Tensor, Tensor]:
    """Both in double precision; raises `UserError` unless they have one shape (..., K, N)."""
    # torch takes no array with negative strides, such as a reversed one
    e, r = (torch.as_tensor(x.copy() if isinstance(x, np.ndarray) else x) for x in (est, ref))
    if e.shape != r.shape or e.ndim < 2:
        raise UserError(
            f"est {tuple(e.shape)}, ref {tuple(r.shape)}: give one shape (..., sources, samples)"
        )
    return e.double(), r.double()


def _like(x: Any, given: Array) -> Any:
    return x.numpy() if isinstance(given, np.ndarray) else x
