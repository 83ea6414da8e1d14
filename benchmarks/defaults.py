"""`ssml separate` without flags against every model, rule and number of iterations.

    SSML_LIBRISPEECH=... python -m benchmarks.defaults [--rooms 16]

Real speech of test-other in simulated rooms, T60 0.4 s, noise 20 dB below, 5 to 8 s; arrays of 6
and 20 cm take turns. A model with a rule that is far below the default leaves the race after a few
rooms. SI-SDR in dB, mean over the sources. Writes `docs/results/defaults.csv`.
"""

import math
import os
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import soundfile
import torch

import ssml
from ssml import pretrained
from ssml.cli import main as command
from ssml.config.params import load
from ssml.data.rooms import simulate
from ssml.data.scenes import Scene
from ssml.files.io import read_audio, write_table
from ssml.files.progress import progress
from ssml.iva.models import CLASSICAL
from ssml.iva.updates import UPDATES
from ssml.separation.separator import Separator

from .measure import options

FS = 16000
SPACINGS = (0.06, 0.2)  # m, between neighbours on a circle
ITERATIONS = (20, 50, 100)
FAR = {1: 4.0, 3: 2.0, 6: 1.0}  # after so many rooms, dB below the default: out of the race
TALKERS = (2, 3, 4)
COLUMNS = ("talkers", "model", "rule", "iterations", "rooms", "si_sdr", "less", "each")
DEFAULT = "default"
TABLE = Path("docs/results/defaults.csv")


def points(array: np.ndarray) -> tuple:
    return tuple(tuple(map(float, row)) for row in array)


def draw_bearings(rng: np.random.Generator, K: int, apart: float) -> np.ndarray:
    """K directions (K,) in rad, at least `apart` rad from each other."""
    while True:
        bearing = rng.uniform(0, 2 * np.pi, K)
        if np.diff(np.sort(np.append(bearing, bearing.min() + 2 * np.pi))).min() > apart:
            return bearing


def around(centre: np.ndarray, distance: np.ndarray, bearing: np.ndarray) -> np.ndarray:
    """Places (2, K) at distances from the centre (2 or more,)."""
    return centre[:2, None] + distance * np.stack([np.cos(bearing), np.sin(bearing)])


def meeting(
    id: str,
    n_samples: int,
    room: np.ndarray,
    mics: np.ndarray,
    t60: float,
    places: np.ndarray,
    heights: np.ndarray,
    levels: np.ndarray,
    snr: float,
) -> Scene:
    """Talkers at `places` (2, K) and microphones (M, 3) in a room (3,), all in m."""
    K = len(levels)
    return Scene(
        id=id,
        n_samples=n_samples,
        room=points(room[None])[0],
        t60=t60,
        mics=points(mics),
        speakers=points(np.stack([*places, heights], -1)),
        utterances=("",) * K,
        cuts=((0, n_samples),) * K,
        levels=tuple(map(float, levels)),
        snr=snr,
        split="test",
    )


def scene(rng: np.random.Generator, K: int, spacing: float, n_samples: int) -> Scene:
    """K talkers, 1 to 1.8 m around K microphones near the middle of a room, 30 degrees apart."""
    room = rng.uniform([5, 4, 2.6], [8, 7, 3.4])
    centre = np.append(room[:2] / 2 + rng.uniform(-0.4, 0.4, 2), rng.uniform(1, 1.5))
    angles = rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(K) / K
    circle = np.stack([np.cos(angles), np.sin(angles), 0 * angles], -1)
    mics = centre + spacing / (2 * np.sin(np.pi / K)) * circle
    bearing = draw_bearings(rng, K, np.pi / 6)
    places = around(centre, rng.uniform(1, 1.8, K), bearing)
    name, heights = f"best-{K}-{spacing}", rng.uniform(1.4, 1.8, K)
    return meeting(name, n_samples, room, mics, 0.4, places, heights, np.zeros(K), 20.0)


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
    params = load("params.yaml").mix
    chosen = np.stack([x[:n] for x in dry])
    mixed = simulate(scene(rng, K, spacing, n), chosen, params, index, FS)
    return mixed.mix.astype(np.float32), mixed.reverberant


def without_flags(folder: Path, mix: np.ndarray, ref: np.ndarray) -> float:
    """Mean SI-SDR in dB of what the command writes."""
    soundfile.write(folder / "in.wav", mix.T, FS, subtype="FLOAT")
    words = ["separate", str(folder / "in.wav"), str(folder / "out"), "--force"]
    with redirect_stdout(None):
        code = command.main(words)
    if code:
        raise SystemExit(code)
    est = [read_audio(folder / f"out/in-{k + 1}.wav")[0][0] for k in range(len(ref))]
    return float(ssml.si_sdr(np.stack(est).astype(np.float64), ref)[0].mean())


def with_flags(model: str, rule: str, mix: np.ndarray, ref: np.ndarray) -> dict[int, float]:
    """Mean SI-SDR in dB after each of `ITERATIONS`."""
    found, separator = {}, Separator(model, rule=rule, iterations=max(ITERATIONS), fs=FS)
    for i, state in enumerate(separator.states(mix)):
        if i in ITERATIONS:
            est = separator.stft.inverse(state.Y, mix.shape[-1])
            found[i] = float(ssml.si_sdr(est.double(), torch.from_numpy(ref))[0].mean())
    return found


def race(librispeech: Path, K: int, rooms: int) -> list[dict[str, str | int | float]]:
    """A row for the default and for each model, rule and number of iterations."""
    found: dict[tuple[str, str, int], list[float]] = {}
    default: list[float] = []
    running = {(m, r) for m in (*pretrained.names(), *CLASSICAL) for r in UPDATES}
    for index in progress(range(rooms), f"{K} talkers", "rooms"):
        mix, ref = mixture(librispeech, K, index)
        with tempfile.TemporaryDirectory() as folder:
            default.append(without_flags(Path(folder), mix, ref))
        for model, rule in sorted(running):
            for i, value in with_flags(model, rule, mix, ref).items():
                found.setdefault((model, rule, i), []).append(value)
        for key in sorted(running):
            best = max(float(np.mean(found[*key, i])) for i in ITERATIONS)
            if best < np.mean(default) - FAR.get(index + 1, math.inf):
                running.remove(key)
    rows = [row(K, (DEFAULT, "", ""), default, default)]
    return rows + [row(K, key, values, default) for key, values in found.items()]


def row(K: int, key: tuple, values: list[float], default: list[float]) -> dict:
    """One row of the table; `less`: dB below the default in the rooms of both."""
    less = float(np.mean(default[: len(values)]) - np.mean(values))
    each = " ".join(f"{value:.2f}" for value in values)
    cells = (K, *key, len(values), f"{np.mean(values):.2f}", f"{less:.2f}", each)
    return dict(zip(COLUMNS, cells, strict=True))


def main() -> None:
    chosen = options(__doc__ or "", rooms=16)
    librispeech = Path(os.environ["SSML_LIBRISPEECH"])
    rows: list[dict[str, str | int | float]] = []
    for K in TALKERS:
        rows += race(librispeech, K, chosen.rooms)
        write_table(TABLE, rows, COLUMNS)


if __name__ == "__main__":
    main()
