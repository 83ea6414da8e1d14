"""`ssml.Stream` against the batch: talkers who stand still, one who walks, one who falls silent.

    SSML_LIBRISPEECH=... python -m benchmarks.stream [--mixtures 8] [--validation 1] [--json]

Two test speakers (or validation speakers) of `presets/excerpt.yaml` in rooms as its own; their
utterances follow each other, and again. A walk is 1 m in 5 s; a silence lasts 20 s. SI-SDR in dB of
stretches, mean over the talkers who are heard and over the mixtures. Writes `stream.csv`,
`walk.csv` and `silence.csv` in `docs/results/`; for validation speakers it only prints.
"""

import dataclasses
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

import ssml
from ssml.config import layout
from ssml.config.params import Params, load
from ssml.data import corpora, rooms, scenes
from ssml.data.mixing import convolve, mix_at
from ssml.data.noise import at_microphones
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


BATCH = Way("batch", "all", "", batch)
BLOCKS = Way("`--block 10`", "10", "", partial(in_blocks, 10))
STREAMS = {
    (latency, forget): Way("`Stream`", str(latency), str(forget), partial(online, latency, forget))
    for latency, forget in ((0.5, 10), (0.5, 5), (0.5, 20), (0.3, 10), (1.0, 10))
}
DEFAULT = STREAMS[0.5, 10]


class Recording(NamedTuple):
    mix: np.ndarray  # (M, N)
    ref: np.ndarray  # (K, N), images at the first microphone


def recordings(
    params: Params, split: str, index: int, seconds: float
) -> tuple[Scene, np.ndarray, np.random.Generator]:
    """A scene of two talkers, and what they say (2, N)."""
    name, n = f"stream-{split}", round(seconds * params.fs)
    chosen = params.scenes.sets[params.train.validation[0]].model_copy(
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
    return corpora.prepare(params.corpus, params.seed, corpora.root(params.corpus, layout.CORPUS))


def record(scene: Scene, images: np.ndarray, params: Params) -> Recording:
    """Images (K, M, N) with the levels and the noise of the scene."""
    mics, rng = np.array(scene.mics), generator(SEED, "noise", scene.id)
    mixed = mix_at(
        images,
        scene.levels,
        scene.snr,
        lambda speech: at_microphones("diffuse", scene.split, mics, speech, rng, params.fs),
    )
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


def walk(params: Params, split: str, index: int, walks: bool = True) -> Recording:
    """The first talker walks in a straight line, or stands at its end from the beginning."""
    scene, dry, rng = recordings(params, split, index, BEGIN + WALK + AFTER)
    places = [tuple(map(float, place)) for place in path(scene, rng)]
    moving = dataclasses.replace(scene, speakers=(*places, scene.speakers[1]))
    responses = response(moving, params)
    n, tail = dry.shape[1], responses.shape[-1]
    at = (np.arange(n) / params.fs - BEGIN) / WALK * STEPS if walks else np.full(n, STEPS)
    images = np.zeros((2, len(scene.mics), n + tail))
    for step, h in enumerate(responses[:-1]):  # the places cross-fade
        share = np.clip(1 - np.abs(np.clip(at, 0, STEPS) - step), 0, 1)
        if not share.any():
            continue
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


class Column(NamedTuple):
    """A stretch of a recording in which outputs are scored."""

    name: str
    make: Callable[..., Recording]  # params, split, index
    first: float  # s
    last: float  # s


# kind of scene, which names its table -> ways to separate it, and stretches
SCENES: dict[str, tuple[Sequence[Way], Sequence[Column]]] = {
    "stream": (
        (BATCH, BLOCKS, *STREAMS.values()),
        [Column(f"after {t} s", still, t, t + 4) for t in (4, 8, 16)],
    ),
    "walk": (
        (BATCH, BLOCKS, DEFAULT),
        [
            Column("before the walk", walk, BEGIN - 4, BEGIN),
            Column("walking", walk, BEGIN, BEGIN + WALK),
            Column("3 s after it", walk, BEGIN + WALK + 3, BEGIN + WALK + AFTER),
            Column(
                "the same, had it stood there from the beginning",
                partial(walk, walks=False),
                BEGIN + WALK + 3,
                BEGIN + WALK + AFTER,
            ),
        ],
    ),
    "silence": (
        (BATCH, BLOCKS, DEFAULT),
        [
            Column("before the silence", silence, BEGIN - 4, BEGIN),
            Column("the other, in it", silence, BEGIN + SILENCE / 2, BEGIN + SILENCE),
            Column("0 to 3 s after it", silence, BEGIN + SILENCE, BEGIN + SILENCE + 3),
            Column("5 to 9 s after it", silence, BEGIN + SILENCE + 5, BEGIN + SILENCE + BACK),
        ],
    ),
}


def measure(params: Params, split: str, mixtures: int, kind: str) -> dict[Way, np.ndarray]:
    """SI-SDR of each stretch, and the real-time factor; a row for each mixture."""
    ways, columns = SCENES[kind]
    found: dict[Way, list[list[float]]] = {}
    for index in progress(range(mixtures), kind, "mixtures"):
        made = {column.make: column.make(params, split, index) for column in columns}
        seconds = sum(recording.mix.shape[1] for recording in made.values()) / params.fs
        for way in ways:
            values, taken = dict[Column, float](), 0.0
            for make, recording in made.items():
                separate, start = way.make(params.fs), time.process_time()
                est = separate(recording.mix)
                taken += time.process_time() - start
                chosen = [column for column in columns if column.make is make]
                edges = [(column.first, column.last) for column in chosen]
                scored = score(est, recording, edges, params.fs)
                values |= dict(zip(chosen, scored, strict=True))
            row = [*(values[one] for one in columns), taken / seconds]
            found.setdefault(way, []).append(row)
    return {way: np.array(values) for way, values in found.items()}


def rows(kind: str, found: dict[Way, np.ndarray]) -> list[dict[str, str]]:
    """The rows of a table: means over the mixtures."""
    table = []
    for way, values in found.items():
        *means, taken = values.mean(0)
        cells = {"SI-SDR in dB": way.name, "latency in s": way.latency}
        cells |= {"`forget` in s": way.forget} if kind == "stream" else {}
        names = [column.name for column in SCENES[kind][1]]
        cells |= {name: f"{mean:.1f}" for name, mean in zip(names, means, strict=True)}
        table.append(cells | ({"real-time factor": f"{taken:.2f}"} if kind == "stream" else {}))
    return table


def main() -> None:
    chosen = options(__doc__ or "", mixtures=8, validation=0)
    params = load("presets/excerpt.yaml")
    cases: dict[str, dict[str, dict[str, float]]] = {}
    for kind, (_, columns) in SCENES.items():
        found = measure(params, "dev" if chosen.validation else "test", chosen.mixtures, kind)
        names = [*(column.name for column in columns), "real-time factor"]
        for way, values in found.items():
            spread = values.std(0) / max(1, len(values) - 1) ** 0.5
            means = dict(zip(names, values.mean(0).tolist(), strict=True))
            errors = dict(zip(names, spread.tolist(), strict=True))
            means |= {f"{name}, standard error": error for name, error in errors.items()}
            name = " ".join(filter(None, (way.name, way.latency, way.forget)))
            cases.setdefault(kind, {})[name] = means
        if not chosen.validation:
            made = rows(kind, found)
            write_table(TABLES / f"{kind}.csv", made, list(made[0]))
    show("Streams: SI-SDR in dB", cases, chosen.json)


if __name__ == "__main__":
    main()
