"""The stored estimates of a method on a test set, each with its reference and conditions.

Pseudo-methods are included. The report breaks its numbers down by the conditions.
"""

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import numpy as np

from ssml.config import layout
from ssml.config.params import Params
from ssml.data.shards import ShardReader, Tar

CONDITIONS = ("t60", "t60_nominal", "overlap", "distance", "level", "snr", "speaker", "sex")
FRAME = 0.032  # s
ACTIVE = 40  # dB by which a frame with speech may be below the speaker's loudest frame


class Outcome(NamedTuple):
    """One test mixture and a method's estimates of its sources; est[k] belongs to ref[k]."""

    info: dict[str, Any]  # of the mixture
    est: np.ndarray  # (K, N)
    ref: np.ndarray  # (K, N)
    early: np.ndarray  # (K, N), of the references: the direct sound and 50 ms
    curve: dict[int, list[float]]  # of `methods.Separated`; empty for pseudo-methods
    failed: bool


def outcomes(
    params: Params,
    method: str,
    name: str,
    limit: int | None = None,
    only: Collection[str] | None = None,
) -> Iterator[Outcome]:
    """Yield the outcomes of `method` on the set `name`: the first `limit`, or the ids in `only`.

    The pseudo-method `mixture` estimates every source by the reference microphone's signal, and
    `reference` by the source's reference.
    """
    mixtures = ShardReader(layout.shards(params, name), params.fs)
    stored = None
    if method not in (layout.MIXTURE, layout.REFERENCE):
        stored = Tar(layout.separated(method, name))
    keys = [key for _, key in mixtures.keys][:limit]
    if stored is not None:
        keys = keys[: params.separate.methods[method].mixtures]
    for index, key in enumerate(keys):
        if only is not None and key not in only:
            continue
        example = mixtures[index]
        ref = example.reference(params.score.reference)
        if stored is None:
            clean = method == layout.REFERENCE
            est = ref if clean else np.repeat(example.mix[:1], len(ref), axis=0)
            yield Outcome(example.info, est, ref, example.early, {}, False)
            continue
        notes = stored.json(key)
        est = stored.audio(key, "est.flac", params.fs) / notes["gain"]
        curve = {int(iteration): values for iteration, values in notes["si_sdr"].items()}
        yield Outcome(example.info, est, ref, example.early, curve, notes["failed"])


def conditions(outcome: Outcome, source: int, fs: int) -> dict[str, Any]:
    """`CONDITIONS` of one source: T60 in s, distance to microphone 0 in m, dB.

    `t60` is measured; `t60_nominal` is what a simulation was asked for. A measured room has neither
    that nor distances: they are nan.
    """
    info, distance = outcome.info, float("nan")
    if info["speakers"]:
        place, mic = np.array(info["speakers"][source]), np.array(info["mics"][0])
        distance = round(float(np.linalg.norm(place - mic)), 4)
    return {
        "t60": info["t60_measured"],
        "t60_nominal": float("nan") if info["t60"] is None else info["t60"],
        "overlap": round(overlap(outcome.ref, fs), 4),
        "distance": distance,
        "level": info["levels"][source],
        "snr": info["snr"],
        "speaker": info["speaker_ids"][source],
        "sex": info["sexes"][source],
    }


def overlap(ref: np.ndarray, fs: int) -> float:
    """Share of the frames with speech in ref (K, N) in which two or more speakers talk."""
    size = int(FRAME * fs)
    frames = ref[:, : ref.shape[1] // size * size].reshape(len(ref), -1, size)
    power = np.square(frames.astype(np.float64)).mean(axis=-1)
    talking = (power > 10 ** (-ACTIVE / 10) * power.max(axis=1, keepdims=True)).sum(axis=0)
    return float((talking > 1).sum() / max((talking > 0).sum(), 1))
