"""Test sets as a method left them: pairs of stored estimates and references, pseudo-methods too."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from . import layout
from .dataset import Mixtures, Tar
from .params import Params


class Outcome(NamedTuple):
    """One test mixture and what a method made of it; est[k] belongs to ref[k]."""

    info: dict[str, Any]  # of the mixture
    est: np.ndarray  # (K, N)
    ref: np.ndarray  # (K, N)
    curve: list[list[float]]  # SI-SDR in dB [iteration][source]; empty for pseudo-methods
    failed: bool


def outcomes(params: Params, method: str, name: str, limit: int | None = None) -> Iterator[Outcome]:
    """The outcomes of `method` on the set `name`, the first `limit` of them.

    `mixture` is the reference microphone for every source, `reference` the references themselves.
    """
    mixtures = Mixtures(layout.shards(params, name), params.fs)
    stored = None
    if method not in (layout.MIXTURE, layout.REFERENCE):
        stored = Tar(layout.separated(method, name))
    for index in range(len(mixtures) if limit is None else min(limit, len(mixtures))):
        example = mixtures[index]
        ref, key = example.reverberant, example.info["id"]
        if stored is None:
            clean = method == layout.REFERENCE
            est = ref if clean else np.repeat(example.mix[:1], len(ref), axis=0)
            yield Outcome(example.info, est, ref, [], False)
            continue
        notes = stored.json(key)
        est = stored.audio(key, "est.flac", params.fs) / notes["gain"]
        yield Outcome(example.info, est, ref, notes["si_sdr"], notes["failed"])
