"""Settings of the classical source models, tried on speakers that no test set has.

    SSML_LIBRISPEECH=... python -m benchmarks.baselines [--mixtures 16] [--first 0] [--json]

Mixtures of 2, 3 and 4 validation speakers of `presets/excerpt.yaml`, 8 s, in rooms as its own.
SI-SDR in dB, mean over the mixtures and sources; 100 iterations.
"""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from ssml.config import layout
from ssml.config.params import Params, load
from ssml.data import corpora, rooms, scenes
from ssml.files.progress import progress
from ssml.iva import auxiva, losses
from ssml.iva.models import CLASSICAL
from ssml.iva.stft import Stft

from .measure import options, show

SEED = 4242  # of scenes that the preset does not have
SECONDS = 8
ITERATIONS = 100
WINDOWS = (4096,)
GRID: dict[str, list[dict[str, Any]]] = {
    "laplace": [{"floor": floor} for floor in (1e-10, 1e-4)],
    "gauss": [{"floor": floor} for floor in (1e-5, 1e-4, 1e-3)],
    "nmf": [
        {"rank": rank, "alike": alike, "floor": floor}
        for rank, alike, floor in itertools.product((1, 2, 3, 4, 8), (True, False), (1e-4, 1e-3))
    ],
}
RULES = {"laplace": ("iss-6-sweeps", "ip2"), "gauss": ("iss-6-sweeps", "ip2"), "nmf": ("ip2",)}


def mixtures(params: Params, K: int, count: int, first: int = 0) -> Iterator[tuple[Any, Any]]:
    """Mixtures (K, N) of K validation speakers, and the sources' images (K, N), float32."""
    name, n = f"validation{K}", SECONDS * params.fs
    chosen = params.scenes.sets[params.train.validation[0]].model_copy(
        update={"speakers": K, "mixtures": first + count, "seconds": (SECONDS, SECONDS)}
    )
    drawn = params.scenes.model_copy(update={"sets": {**params.scenes.sets, name: chosen}})
    root = corpora.root(params.corpus, layout.CORPUS)
    known = corpora.CORPORA[params.corpus.source](params.corpus, params.seed, root)
    by_name = {utterance.utterance: utterance for utterance in known}
    for i in range(first, first + count):
        scene = scenes.draw(name, i, drawn, SEED, known, params.fs)
        dry = np.zeros((K, n), np.float32)
        for k, (utterance, cut) in enumerate(zip(scene.utterances, scene.cuts, strict=True)):
            part = corpora.load(by_name[utterance], root)[cut[0] : cut[0] + n]
            dry[k, : len(part)] = part
        scene = dataclasses.replace(scene, n_samples=n)
        mixture = rooms.simulate(scene, dry, params.mix, SEED, params.fs)
        yield torch.from_numpy(mixture.mix).float(), torch.from_numpy(mixture.reverberant).float()


@torch.no_grad()
def score(mix: Any, ref: Any, name: str, given: dict[str, Any], rule: str, n_fft: int) -> float:
    stft = Stft(n_fft, n_fft // 4)
    est = auxiva.separate(mix, CLASSICAL[name](**given), rule, ITERATIONS, stft)
    return -float(losses.pit(-losses.si_sdr_matrix(est, ref, clamp=50))[0])


def main() -> None:
    chosen = options(__doc__ or "", mixtures=16, first=0)
    params = load("presets/excerpt.yaml")
    cases: dict[str, dict[str, dict[str, float]]] = {}
    tried: list[tuple[str, dict[str, Any], str, int]] = [
        (name, given, rule, n_fft)
        for name, settings in GRID.items()
        for given in settings
        for rule in RULES[name]
        for n_fft in WINDOWS
    ]
    for K in (2, 3, 4):
        known = list(mixtures(params, K, chosen.mixtures, chosen.first))
        for name, given, rule, n_fft in progress(tried, f"{K} speakers", "settings"):
            words = ", ".join(f"{key} {value}" for key, value in given.items())
            found = np.array([score(*pair, name, given, rule, n_fft) for pair in known])
            spread = found.std(ddof=1) / len(found) ** 0.5 if len(found) > 1 else 0.0
            row = {"SI-SDR dB": float(found.mean()), "standard error": float(spread)}
            cases.setdefault(f"{K} speakers", {})[f"{name}, {words}, {rule}, {n_fft}"] = row
    show("Settings of the classical source models", cases, chosen.json)


if __name__ == "__main__":
    main()
