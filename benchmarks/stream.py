"""`ssml.Stream` against the batch: talkers who stand still, one who walks, one who falls silent.

    SSML_LIBRISPEECH=... python -m benchmarks.stream [--mixtures 12] [--validation 1] [--json]

Two test speakers (or validation speakers) of `presets/excerpt.yaml` in rooms as its own; their
utterances follow each other, and again. A walk is 1 m in 5 s; a silence lasts 20 s. SI-SDR in dB of
stretches, mean over the talkers who are heard and over the mixtures. Writes `stream.csv`, `walk.csv`
and `silence.csv` in `docs/results/`; for validation speakers it only prints.
"""

import dataclasses
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

import ssml
from ssml.config import layout
from ssml.config.params import Params, load
from ssml.data import corpora, rooms, scenes
from ssml.data.mixing import convolve, mix_at
from ssml.data.scenes import Scene
from ssml.files.io import write_table
from ssml.files.progress import progress
from ssml.files.provenance import generator

from .measure import options, show

SEED = 2222  # of scenes that the preset does not have
TABLES = Path("docs/results")
BEGIN = 12.0  # s, of the walk and of the silence
WALK, AFTER = 5.0, 7.0  # s, that it lasts, and that are heard after it
SILENCE, BACK = 20.0, 9.0  # s
STILL = 20.0  # s
STEPS = 25  # places on a walk, but the first
FAR = 1.0  # m
NEAR = (0.5, 0.7, 0.3)  # m, least distance of a walk from microphones, talker and walls
MODEL = "learned-sdr"
Separate = Callable[[np.ndarray], np.ndarray]


class Way(NamedTuple):
    """A way to separate, and what its row of the table says."""

    name: str
    latency: str  # s
    forget: str  # s
    make: Callable[[int], Separate]  # of the rate in Hz


def batch(fs: int) -> Separate:
    return ssml.Separator(MODEL, fs=fs)


def in_blocks(block: float, fs: int) -> Separate:
    return partial(passed, ssml.Blocks(ssml.Separator(MODEL, fs=fs), block))


def online(latency: float, forget: float, fs: int) -> Separate:
    separator = ssml.Separator(MODEL, fs=fs)
    return partial(passed, ssml.Stream(separator, latency, forget=forget))


def passed(stream: ssml.Stream | ssml.Blocks, mix: np.ndarray) -> np.ndarray:
    return np.concatenate([stream.push(mix), stream.flush()], -1)


WAYS = [
    Way("batch", "all", "", batch),
    *(Way(f"`--block {b}`", str(b), "", partial(in_blocks, b)) for b in (5, 10)),
    *(
        Way("`Stream`", str(latency), str(forget), partial(online, latency, forget))
        for latency, forget in ((0.5, 5), (0.5, 10), (0.5, 20), (0.3, 10), (1.0, 10))
    ),
]


class Recording(NamedTuple):
    mix: np.ndarray  # (M, N)
    ref: np.ndarray  # (K, N), images at the first microphone


def recordings(
    params: Params, split: str, index: int, seconds: float
) -> tuple[Scene, np.ndarray, np.random.Generator]:
    """A scene of two talkers, and what they say (2, N)."""
    name, n = f"stream-{split}", round(seconds * params.fs)
    chosen = params.scenes.sets[params.train.dev].model_copy(
        update={"split": split, "speakers": 2, "mixtures": index + 1, "seconds": (2, 40)}
    )
    drawn = params.scenes.model_copy(update={"sets": {**params.scenes.sets, name: chosen}})
    root = corpora.root(params.corpus, layout.CORPUS)
    known = known_utterances(params)
    scene = scenes.draw(name, index, drawn, SEED, known, params.fs)
    rng = generator(SEED, "order", scene.id)
    speaker = {one.utterance: one.speaker for one in known}
    dry = np.zeros((2, n), np.float32)
    for k, utterance in enumerate(scene.utterances):
        own = [one for one in known if one.speaker == speaker[utterance]]
        said = [corpora.load(own[i], root) for i in rng.permutation(len(own))]
        dry[k] = np.resize(np.concatenate(said), n)
    return dataclasses.replace(scene, n_samples=n), dry, rng


def known_utterances(params: Params) -> list[corpora.Utterance]:
    root = corpora.root(params.corpus, layout.CORPUS)
    return corpora.CORPORA[params.corpus.source](params.corpus, params.seed, root)


def record(scene: Scene, images: np.ndarray, params: Params) -> Recording:
    """Images (K, M, N) with the levels and the noise of the scene."""
    mics, rng = np.array(scene.mics), generator(SEED, "noise", scene.id)
    mixed = mix_at(images, scene.levels, scene.snr, "diffuse", "test", mics, rng, params.fs)
    mix = mixed.images.sum(0) + mixed.noise
    return Recording(mix.astype(np.float32), mixed.images[:, 0])


def still(params: Params, split: str, index: int) -> Recording:
    scene, dry, _ = recordings(params, split, index, STILL)
    return record(scene, convolve(dry, response(scene, params)), params)


def silence(params: Params, split: str, index: int) -> Recording:
    """The first talker is silent for a while."""
    scene, dry, _ = recordings(params, split, index, BEGIN + SILENCE + BACK)
    first, last = (round(t * params.fs) for t in (BEGIN, BEGIN + SILENCE))
    dry[0, first:last] = 0
    return record(scene, convolve(dry, response(scene, params)), params)


def walk(params: Params, split: str, index: int) -> Recording:
    """The first talker walks in a straight line."""
    scene, dry, rng = recordings(params, split, index, BEGIN + WALK + AFTER)
    places = [tuple(map(float, place)) for place in path(scene, rng)]
    moving = dataclasses.replace(scene, speakers=(*places, scene.speakers[1]))
    responses = response(moving, params)
    n, tail = dry.shape[1], responses.shape[-1]
    at = (np.arange(n) / params.fs - BEGIN) / WALK * STEPS
    images = np.zeros((2, len(scene.mics), n + tail))
    for step, h in enumerate(responses[:-1]):  # the places cross-fade
        share = np.clip(1 - np.abs(np.clip(at, 0, STEPS) - step), 0, 1)
        heard = np.flatnonzero(share)
        first, last = heard[0], heard[-1] + 1
        part = np.pad((dry[0] * share)[first:last], (0, tail))
        images[0, :, first : last + tail] += convolve(part[None], h[None])[0]
    images[1, :, :n] = convolve(dry[1:], responses[-1:])[0]
    return record(scene, images[..., :n], params)


def path(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Places (STEPS + 1, 3) of the first talker, in m, away from all that could be in the way."""
    start, other, room = np.array(scene.speakers[0]), scene.speakers[1], np.array(scene.room)
    for _ in range(1000):
        angle = rng.uniform(0, 2 * np.pi)
        end = start + FAR * np.array([np.cos(angle), np.sin(angle), 0])
        places = np.linspace(start, end, STEPS + 1)
        mics = np.linalg.norm(places - np.mean(scene.mics, 0), axis=1).min()
        talker = np.linalg.norm(places - other, axis=1).min()
        wall = min(places.min(), (room - places).min())
        if all(gap > least for gap, least in zip((mics, talker, wall), NEAR, strict=True)):
            return places
    raise SystemExit(f"{scene.id}: no place for a walk")


def response(scene: Scene, params: Params) -> np.ndarray:
    return rooms.by_speaker(rooms.responses(scene, params.fs, params.mix.max_order))


def score(est: np.ndarray, found: Recording, edges: list[tuple[float, float]], fs: int) -> list:
    """SI-SDR in dB of each stretch, in the order of the outputs that fits the whole best."""
    est, ref = est.astype(np.float64), found.ref
    est = est[ssml.si_sdr(est, ref)[1]]
    values = []
    for first, last in edges:
        part = slice(round(first * fs), round(last * fs))
        heard = [k for k in range(len(ref)) if np.square(ref[k, part]).sum() > 1e-3]
        pairs = [(est[k, None, part], ref[k, None, part]) for k in heard]
        values.append(float(np.mean([ssml.si_sdr(*pair)[0] for pair in pairs])))
    return values


SCENES: dict[str, tuple[Callable[..., Recording], dict[str, tuple[float, float]]]] = {
    "still": (still, {f"after {t:g} s": (t, t + 4) for t in (4, 8, 16)}),
    "walk": (
        walk,
        {
            "before the walk": (BEGIN - 4, BEGIN),
            "walking": (BEGIN, BEGIN + WALK),
            "3 s after the walk": (BEGIN + WALK + 3, BEGIN + WALK + AFTER),
        },
    ),
    "silence": (
        silence,
        {
            "before the silence": (BEGIN - 4, BEGIN),
            "the other, in the silence": (BEGIN + SILENCE / 2, BEGIN + SILENCE),
            "0 to 3 s after it": (BEGIN + SILENCE, BEGIN + SILENCE + 3),
            "5 to 9 s after it": (BEGIN + SILENCE + 5, BEGIN + SILENCE + 9),
        },
    ),
}


def measure(params: Params, split: str, mixtures: int) -> Iterator[tuple[Way, str, np.ndarray]]:
    """For each way and kind of scene: SI-SDR of the stretches, and the real-time factor.

    There is a row for each mixture.
    """
    for kind, (make, stretches) in SCENES.items():
        edges, found = list(stretches.values()), dict[Way, list]()
        for index in progress(range(mixtures), kind, "mixtures"):
            recording = make(params, split, index)
            for way in WAYS:
                separate, start = way.make(params.fs), time.process_time()
                est = separate(recording.mix)
                taken = (time.process_time() - start) * params.fs / est.shape[1]
                values = score(est, recording, edges, params.fs)
                found.setdefault(way, []).append([*values, taken])
        yield from ((way, kind, np.array(values)) for way, values in found.items())


def rows(kind: str, found: list[tuple[Way, str, np.ndarray]]) -> list[dict[str, str]]:
    """The rows of a table: means over the mixtures."""
    table = []
    for way, of, values in found:
        if of == kind:
            *means, taken = values.mean(0)
            cells = {"way": way.name, "latency in s": way.latency, "`forget` in s": way.forget}
            names = [f"{name}: SI-SDR in dB" for name in SCENES[kind][1]]
            cells |= {name: f"{mean:.1f}" for name, mean in zip(names, means, strict=True)}
            table.append(cells | {"real-time factor": f"{taken:.2f}"})
    return table


def main() -> None:
    chosen = options(__doc__ or "", mixtures=12, validation=0)
    params = load("presets/excerpt.yaml")
    found = list(measure(params, "dev" if chosen.validation else "test", chosen.mixtures))
    cases: dict[str, dict[str, dict[str, float]]] = {}
    for way, kind, values in found:
        names = [*SCENES[kind][1], "real-time factor"]
        spread = values.std(0, ddof=1) / len(values) ** 0.5 if len(values) > 1 else 0 * values[0]
        name = " ".join(filter(None, (way.name, way.latency, way.forget)))
        means = dict(zip(names, values.mean(0).tolist(), strict=True))
        means |= {f"{key}, se": value for key, value in zip(names, spread.tolist(), strict=True)}
        cases.setdefault(kind, {})[name] = means
    if not chosen.validation:
        for kind, table in {"still": "stream", "walk": "walk", "silence": "silence"}.items():
            made = rows(kind, found)
            write_table(TABLES / f"{table}.csv", made, list(made[0]))
    show("Streams: SI-SDR in dB", cases, chosen.json)


if __name__ == "__main__":
    main()
