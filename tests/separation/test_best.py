"""`ssml separate` without flags, on real speech, against all models, rules and iteration counts.

The rooms have T60 0.4 s and noise 20 dB below; arrays of 6 and 20 cm take turns.
"""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import ssml
from ssml import pretrained
from ssml.cli import main
from ssml.config.params import load
from ssml.data.rooms import simulate
from ssml.data.scenes import Scene
from ssml.files.io import read_audio
from ssml.iva.models import CLASSICAL
from ssml.iva.updates import UPDATES
from ssml.separation.separator import Separator
from tests.conftest import ROOT

FS = 16000
SPACINGS = (0.06, 0.2)  # m, between neighbours on a circle
ITERATIONS = (20, 50, 100)
NEAR = 0.2  # dB, within which the default is of the best
FAR, FEW = 2.0, 3  # dB below the default, mixtures: a model with a rule is then out of the race
ROOMS = {2: 6, 3: 6, 4: 6}


def points(array: np.ndarray) -> tuple:
    return tuple(tuple(map(float, row)) for row in array)


def scene(rng: np.random.Generator, K: int, spacing: float, n_samples: int) -> Scene:
    """K talkers, 1 to 1.8 m around K microphones near the middle of a room, 30 degrees apart."""
    room = rng.uniform([5, 4, 2.6], [8, 7, 3.4])
    centre = np.append(room[:2] / 2 + rng.uniform(-0.4, 0.4, 2), rng.uniform(1, 1.5))
    angles = rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(K) / K
    circle = np.stack([np.cos(angles), np.sin(angles), 0 * angles], -1)
    while True:
        bearing = rng.uniform(0, 2 * np.pi, K)
        gaps = np.diff(np.sort(np.append(bearing, bearing.min() + 2 * np.pi)))
        if gaps.min() > np.pi / 6:
            break
    distance = rng.uniform(1, 1.8, K)
    places = centre[:2, None] + distance * np.stack([np.cos(bearing), np.sin(bearing)])
    return Scene(
        id=f"best-{K}-{spacing}",
        n_samples=n_samples,
        room=points(room[None])[0],
        t60=0.4,
        mics=points(centre + spacing / (2 * np.sin(np.pi / K)) * circle),
        speakers=points(np.stack([*places, rng.uniform(1.4, 1.8, K)], -1)),
        utterances=("",) * K,
        cuts=((0, n_samples),) * K,
        levels=(0.0,) * K,
        snr=20.0,
        split="test",
    )


def mixture(librispeech: Path, K: int, index: int) -> tuple[np.ndarray, np.ndarray]:
    """A mixture of K speakers (K, N), 5 to 8 s, and their images at the first microphone (K, N)."""
    spacing = SPACINGS[index % 2]
    rng = np.random.default_rng([K, round(100 * spacing), index])
    folders = sorted((librispeech / "test-other").iterdir())
    dry = []
    for i in rng.permutation(len(folders))[:K]:
        speech = [read_audio(file)[0][0] for file in sorted(folders[i].rglob("*.flac"))]
        long = [x for x in speech if len(x) >= 5 * FS]
        dry.append(long[int(rng.integers(len(long)))])
    n = min(8 * FS, *map(len, dry))
    params = load(ROOT / "params.yaml").mix
    chosen = np.stack([x[:n] for x in dry])
    mixed = simulate(scene(rng, K, spacing, n), chosen, params, index, FS)
    return mixed.mix.astype(np.float32), mixed.reverberant


def without_flags(folder: Path, mix: np.ndarray, ref: np.ndarray) -> float:
    """Mean SI-SDR in dB of what the command writes."""
    soundfile.write(folder / "in.wav", mix.T, FS, subtype="FLOAT")
    words = ["separate", str(folder / "in.wav"), str(folder / "out"), "--force"]
    assert main.main(words) == 0
    est = [read_audio(folder / f"out/in-{k + 1}.wav")[0][0] for k in range(len(ref))]
    return float(ssml.si_sdr(np.stack(est).astype(np.float64), ref)[0].mean())


def with_flags(model: str, rule: str, mix: np.ndarray, ref: np.ndarray) -> dict[int, float]:
    """Mean SI-SDR in dB after each of `ITERATIONS`."""
    found, separator = {}, Separator(model, rule=rule, n_iter=max(ITERATIONS), fs=FS)
    for i, state in enumerate(separator.states(mix)):
        if i in ITERATIONS:
            est = separator.stft.inverse(state.Y, mix.shape[-1])
            found[i] = float(ssml.si_sdr(est.double(), torch.from_numpy(ref))[0].mean())
    return found


@pytest.mark.slow
@pytest.mark.parametrize("K", sorted(ROOMS))
def test_without_flags_it_separates_as_the_best_flags_do(K, librispeech, tmp_path, capsys):
    default: list[float] = []
    race: dict[tuple[str, str], list[dict[int, float]]] = {
        (model, rule): [] for model in [*pretrained.names(), *CLASSICAL] for rule in UPDATES
    }

    def best(key: tuple[str, str]) -> tuple[float, int]:
        return max((np.mean([one[i] for one in race[key]]), i) for i in ITERATIONS)

    for index in range(ROOMS[K]):
        mix, ref = mixture(librispeech, K, index)
        default.append(without_flags(tmp_path, mix, ref))
        for key, found in race.items():
            found.append(with_flags(*key, mix, ref))
        for key in list(race):
            if index + 1 >= FEW and best(key)[0] < np.mean(default) - FAR:
                del race[key]
    capsys.readouterr()
    results = sorted(((best(key), key) for key in race), reverse=True)
    assert np.mean(default) > results[0][0][0] - NEAR, (np.mean(default), results[:5])
