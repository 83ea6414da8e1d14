"""How well `ssml.quality` tells good separations from failed ones, and its coefficients.

    SSML_LIBRISPEECH=... python -m benchmarks.quality [--fit 30] [--test 30]

Real speech in simulated rooms: T60 0.12 to 0.8 s, noise 8 to 30 dB below, 4 to 12 s, as many
microphones as talkers 3 to 20 cm apart on a circle or a line. `--fit` mixtures of two, three and
four training talkers each give the coefficients, `--test` of validation talkers the errors.
Good and bad separations are those of the default, of Gauss by IP2 and of Laplace by ISS, and what
they give after a few iterations. Writes `ssml/separation/quality.json` and
`docs/results/quality.csv`.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np

import ssml
from ssml.config.params import Params, load
from ssml.data import corpora
from ssml.data.corpora.librispeech import prepare
from ssml.data.corpora.utterance import Utterance
from ssml.data.rooms import simulate
from ssml.data.scenes import Scene
from ssml.files.errors import UserError
from ssml.files.io import write_json, write_table
from ssml.files.progress import progress
from ssml.separation import quality

from .defaults import around, draw_bearings, meeting
from .measure import options

FS = 16000
TALKERS = (2, 3, 4)
SPLITS = {"fit": "train", "test": "dev"}
METHODS: dict[str, dict[str, Any]] = {
    "default": {},
    "default, 1 iteration": {"iterations": 1},
    "default, 3 iterations": {"iterations": 3},
    "gauss, ip2, 4 iterations": {"model": "gauss", "iterations": 4},
    "gauss, ip2, 50 iterations": {"model": "gauss"},
    "laplace, iss, 5 iterations": {"model": "laplace", "rule": "iss", "iterations": 5},
    "laplace, iss, 20 iterations": {"model": "laplace", "rule": "iss", "iterations": 20},
}
LIMITS = [2.0, 4.0]  # dB of estimated gain: below is failed, above is probably good
RIDGE = 0.01
LEAST, MOST = 2.0, 5.0  # dB of true gain: less has failed, more is good
TABLE = Path("docs/results/quality.csv")


def scene(rng: np.random.Generator, K: int, n_samples: int) -> Scene:
    """K talkers, 0.6 to 1.9 m from K microphones, and 20 degrees or more apart."""
    room = rng.uniform([4, 4, 2.5], [9, 8, 3.5])
    centre = np.append(room[:2] / 2 + rng.uniform(-0.5, 0.5, 2), rng.uniform(0.8, 1.5))
    spacing = np.exp(rng.uniform(np.log(0.03), np.log(0.2)))
    turn, steps = rng.uniform(0, 2 * np.pi), np.arange(K)
    if rng.random() < 0.5:
        angle, radius = turn + 2 * np.pi * steps / K, spacing / (2 * np.sin(np.pi / K))
    else:
        angle, radius = np.full(K, turn), (steps - (K - 1) / 2) * spacing
    mics = np.stack([radius * np.cos(angle), radius * np.sin(angle), 0 * angle], -1)
    bearing = draw_bearings(rng, K, np.pi / 9)
    places = np.clip(around(centre, rng.uniform(0.6, 1.9, K), bearing), 0.2, room[:2, None] - 0.2)
    levels = rng.uniform(-5, 5, K)
    t60, heights, snr = rng.uniform(0.12, 0.8), rng.uniform(1.2, 1.8, K), rng.uniform(8, 30)
    place = (f"quality-{K}", n_samples, room, centre + mics)
    return meeting(*place, t60, places, heights, levels - levels[0], snr)


def mixture(
    params: Params, said: list[Utterance], K: int, seed: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """A mixture (K, N) and its talkers' images at the first microphone (K, N)."""
    rng = np.random.default_rng(seed)
    n = int(rng.uniform(4, 12) * FS)
    root = Path(os.environ["SSML_LIBRISPEECH"])
    dry: dict[str, np.ndarray] = {}
    for i in rng.permutation(len(said)):
        one = said[int(i)]
        if one.speaker not in dry and one.samples > 0.6 * n:
            x = corpora.load(one, root)
            first = int(rng.integers(max(len(x) - n, 0) + 1))
            dry[one.speaker] = np.pad(x[first : first + n], (0, max(n - len(x), 0)))
        if len(dry) == K:
            break
    mixed = simulate(scene(rng, K, n), np.stack(list(dry.values())), params.mix, seed[-1], FS)
    return mixed.mix.astype(np.float32), mixed.reverberant


def examples(split: str, count: int) -> list[dict[str, Any]]:
    """The figures, the true gain, the talkers and the method of every separation of a split."""
    params = load("presets/excerpt.yaml")
    spoken = prepare(params.corpus, params.seed, Path(os.environ["SSML_LIBRISPEECH"]))
    said = [one for one in spoken if one.split == SPLITS[split]]
    separators = {name: ssml.Separator(fs=FS, **given) for name, given in METHODS.items()}
    found = []
    for index in progress(range(count), split, "rooms"):
        for K in TALKERS:
            try:
                mix, ref = mixture(params, said, K, [list(SPLITS).index(split), K, index])
            except UserError:  # no walls give that T60 in that room
                continue
            before = ssml.si_sdr(np.stack([mix[0]] * K).astype(float), ref)[0].mean()
            for name, separator in separators.items():
                est = separator(mix)
                gain = float(ssml.si_sdr(est.astype(float), ref)[0].mean() - before)
                row = {"figures": quality.figures(est, mix[0], FS), "gain": gain}
                found.append({**row, "talkers": K, "method": name})
    return found


def fit(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The coefficients of `quality.gain` by ridge regression, an intercept for each K."""
    X = np.array([[row["figures"].values[key] for key in quality.FIGURES] for row in rows])
    group = np.array([row["talkers"] - TALKERS[0] for row in rows])
    y = np.clip([row["gain"] for row in rows], *quality.RANGE)
    mean, scale = X.mean(0), X.std(0)
    A = np.concatenate([(X - mean) / scale, np.eye(len(TALKERS))[group]], 1)
    penalty = RIDGE * len(A) * np.r_[np.ones(len(mean)), np.zeros(len(TALKERS))]
    found = np.linalg.solve(A.T @ A + np.diag(penalty), A.T @ y)
    slopes = found[: len(mean)] / scale
    return {
        "slopes": dict(zip(quality.FIGURES, slopes.round(3).tolist(), strict=True)),
        "intercepts": (found[len(mean) :] - mean @ slopes).round(3).tolist(),
        "limits": LIMITS,
    }


def errors(rows: list[dict[str, Any]], talkers: int | None) -> dict[str, str]:
    """How often the word was wrong on separations that were good or failed."""
    chosen = [row for row in rows if talkers in (None, row["talkers"])]
    true = np.array([row["gain"] for row in chosen])
    told = [quality.verdict(quality.gain(row["figures"], row["talkers"])) for row in chosen]
    gains, words = np.array([t.gain for t in told]), np.array([t.verdict for t in told])
    within = np.clip(true, *quality.RANGE)
    good, failed, middle = true > MOST, true < LEAST, np.mean(LIMITS)

    def share(of: np.ndarray, what: np.ndarray) -> str:
        return f"{100 * what[of].mean():.0f}" if of.any() else ""

    return {
        "talkers": "all" if talkers is None else str(talkers),
        "separations": str(len(chosen)),
        f"good (over {MOST:g} dB)": str(good.sum()),
        f"failed (under {LEAST:g} dB)": str(failed.sum()),
        "good called failed in %": share(good, words == quality.FAILED),
        "failed called probably good in %": share(failed, words == quality.GOOD),
        "called doubtful in %": share(np.ones(len(true), bool), words == quality.DOUBTFUL),
        f"good estimated below {middle:g} dB in %": share(good, gains < middle),
        f"failed estimated above {middle:g} dB in %": share(failed, gains > middle),
        "correlation": f"{np.corrcoef(within, gains)[0, 1]:.2f}",
        "RMS error in dB": f"{np.sqrt(np.mean((within - gains) ** 2)):.1f}",
    }


def main() -> None:
    chosen = options((__doc__ or "").split("\n")[0], fit=30, test=30)
    if "SSML_LIBRISPEECH" not in os.environ:
        raise SystemExit("set SSML_LIBRISPEECH to the folder that holds train-clean-100")
    found = [row for row in examples("fit", chosen.fit) if not row["figures"].has_faint]
    write_json(quality.COEFFICIENTS, fit(found))
    quality.coefficients.cache_clear()
    rows = examples("test", chosen.test)
    table = [errors(rows, talkers) for talkers in (*TALKERS, None)]
    write_table(TABLE, table, list(table[0]))
    print(TABLE.read_text())


if __name__ == "__main__":
    main()
