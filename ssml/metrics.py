"""METRICS: how well estimates match references, in float64, one permutation a mixture.

The reference of a source is its reverberant image at the reference microphone. Estimates come in
the order of the references, so no metric chooses a permutation of its own.
"""

from collections.abc import Callable
from typing import Any

import fast_bss_eval
import numpy as np
import torch

from .losses import si_sdr_matrix

CG_ITERATIONS = 20  # of BSS-eval's linear systems: within 1e-3 dB of solving them, twice as fast


def si_sdr(est: np.ndarray, ref: np.ndarray, taps: int) -> dict[str, np.ndarray]:
    """Scale-invariant SDR in dB (Le Roux et al. 2019); est, ref (K, N) -> {"si_sdr": (K,)}."""
    matrix = si_sdr_matrix(torch.from_numpy(est).double(), torch.from_numpy(ref).double())
    return {"si_sdr": matrix.diagonal().numpy()}


def bss_eval(est: np.ndarray, ref: np.ndarray, taps: int) -> dict[str, np.ndarray]:
    """SDR, SIR and SAR in dB of BSS-eval (Vincent et al. 2006) with filters of `taps` taps.

    est, ref (K, N) -> {"sdr": (K,), "sir": (K,), "sar": (K,)}, by `fast_bss_eval`.
    """
    # as tensors: its NumPy path fails beside NumPy 2
    tensors: Any = [torch.from_numpy(audio.astype(np.float64)) for audio in (ref, est)]
    sdr, sir, sar = fast_bss_eval.bss_eval_sources(
        *tensors, filter_length=taps, compute_permutation=False, use_cg_iter=CG_ITERATIONS
    )
    return {"sdr": np.asarray(sdr), "sir": np.asarray(sir), "sar": np.asarray(sar)}


METRICS: dict[str, Callable[[np.ndarray, np.ndarray, int], dict[str, np.ndarray]]] = {
    "si_sdr": si_sdr,
    "bss_eval": bss_eval,
}
COLUMNS = ("si_sdr", "sdr", "sir", "sar")


def measure(est: np.ndarray, ref: np.ndarray, taps: int) -> list[dict[str, float]]:
    """Every metric of every source, one dict a source; a silent estimate has nan."""
    if not np.abs(est).max(axis=-1).all():
        return [dict.fromkeys(COLUMNS, float("nan")) for _ in est]
    columns: dict[str, np.ndarray] = {}
    for metric in METRICS.values():
        columns |= metric(est, ref, taps)
    return [{key: float(columns[key][k]) for key in COLUMNS} for k in range(len(est))]
