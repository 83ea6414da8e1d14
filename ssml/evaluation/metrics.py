"""METRICS: how well estimates match references, in float64, one permutation a mixture.

**The reference of a source** is its reverberant image at the reference microphone (the first), as
long as the mixture and without noise: what a perfect separation that leaves the room as it is would
give. Every metric, loss and claim of this project is against it, but for `si_sdr_early`, which is
against the early image: the direct sound and the reflections of the first 50 ms. With
`score.reference: early` that is the reference of all metrics. Estimates come in the order of the
references, so no metric chooses a permutation of its own.

The packages that compute metrics are imported where they are used: the report needs only names.
"""

import warnings
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from ssml.files.errors import UserError, install

CG_ITERATIONS = 20  # of BSS-eval's linear systems: within 1e-3 dB of solving them, twice as fast


Metric = Callable[[np.ndarray, np.ndarray, int, int], dict[str, np.ndarray]]


def si_sdr(est: np.ndarray, ref: np.ndarray, fs: int, taps: int) -> dict[str, np.ndarray]:
    """Scale-invariant SDR in dB (Le Roux et al. 2019); est, ref (K, N) -> {"si_sdr": (K,)}."""
    import torch

    from ssml.iva.losses import si_sdr_matrix

    matrix = si_sdr_matrix(torch.from_numpy(est).double(), torch.from_numpy(ref).double())
    return {"si_sdr": matrix.diagonal().numpy()}


def bss_eval(est: np.ndarray, ref: np.ndarray, fs: int, taps: int) -> dict[str, np.ndarray]:
    """SDR, SIR and SAR in dB of BSS-eval (Vincent et al. 2006) with filters of `taps` taps.

    est, ref (K, N) -> {"sdr": (K,), "sir": (K,), "sar": (K,)}, by `fast_bss_eval`.
    """
    import fast_bss_eval
    import torch

    # as tensors: its NumPy path fails beside NumPy 2
    tensors: Any = [torch.from_numpy(audio.astype(np.float64)) for audio in (ref, est)]
    sdr, sir, sar = fast_bss_eval.bss_eval_sources(
        *tensors, filter_length=taps, compute_permutation=False, use_cg_iter=CG_ITERATIONS
    )
    return {"sdr": np.asarray(sdr), "sir": np.asarray(sir), "sar": np.asarray(sar)}


def stoi(est: np.ndarray, ref: np.ndarray, fs: int, taps: int) -> dict[str, np.ndarray]:
    """Short-time objective intelligibility (Taal et al. 2011), up to 1, by `pystoi`.

    est, ref (K, N) at `fs` Hz -> {"stoi": (K,)}; nan where less than 0.4 s of `ref` is speech.
    """
    import pystoi

    def one(e: np.ndarray, r: np.ndarray) -> float:
        try:
            return float(pystoi.stoi(r.astype(np.float64), e.astype(np.float64), fs))
        except RuntimeWarning:
            return float("nan")

    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)  # pystoi's sign of too little speech
        return {"stoi": np.array([one(e, r) for e, r in zip(est, ref, strict=True)])}


def pesq(est: np.ndarray, ref: np.ndarray, fs: int, taps: int) -> dict[str, np.ndarray]:
    """PESQ (ITU-T P.862.2, wideband, at 16 kHz; P.862 at 8 kHz), 1 to 4.6, by the package `pesq`.

    est, ref (K, N) at `fs` Hz -> {"pesq": (K,)}; nan where it finds no speech. Raises `UserError`
    for another rate, or without the package.
    """
    try:
        import pesq as package  # type: ignore[import-not-found]
    except ImportError:
        raise UserError(f"score.pesq: pesq is not installed; {install('pesq')}") from None
    if fs not in PESQ_BANDS:
        raise UserError(f"score.pesq: PESQ needs 16000 or 8000 Hz, not {fs} Hz; set it to false")
    found = [
        package.pesq(fs, r, e, PESQ_BANDS[fs], on_error=package.PesqError.RETURN_VALUES)
        for e, r in zip(est, ref, strict=True)
    ]
    return {"pesq": np.array([value if value > 0 else np.nan for value in found], float)}


PESQ_BANDS = {16000: "wb", 8000: "nb"}
METRICS: dict[str, Metric] = {"si_sdr": si_sdr, "bss_eval": bss_eval, "stoi": stoi, "pesq": pesq}
COLUMNS = ("si_sdr", "sdr", "sir", "sar", "stoi", "pesq", "si_sdr_early")


def failure(est: np.ndarray) -> Literal["", "not finite", "silent"]:
    """Why estimates (K, N) are a failed separation; '' where they are not."""
    if not np.isfinite(est).all():
        return "not finite"
    return "" if est.any(axis=-1).all() else "silent"


def measure(
    est: np.ndarray,
    ref: np.ndarray,
    fs: int,
    taps: int,
    pesq: bool = False,
    early: np.ndarray | None = None,
) -> list[dict[str, float]]:
    """Every metric of every source, one dict a source; all nan where one estimate is a failure.

    pesq: measure PESQ too; otherwise it is nan. early: the early images (K, N); without them
    `si_sdr_early` is nan.
    """
    columns = dict.fromkeys(COLUMNS, np.full(len(est), np.nan))
    if not failure(est):
        for name, metric in METRICS.items():
            if pesq or name != "pesq":
                columns |= metric(est, ref, fs, taps)
        if early is not None:
            columns["si_sdr_early"] = si_sdr(est, early, fs, taps)["si_sdr"]
    return [{key: float(columns[key][k]) for key in COLUMNS} for k in range(len(est))]
