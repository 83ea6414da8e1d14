"""Mixtures in simulated rooms, against pyroomacoustics' own `simulate` of the same scenes."""

import os
import tempfile
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import pyroomacoustics as pra
import soundfile

from ssml.config.mixtures import MixParams
from ssml.config.names import RATE
from ssml.config.params import load
from ssml.config.sections import RedrawParams
from ssml.data import rooms, scenes
from ssml.data.bank import Bank, encode_room
from ssml.data.corpora import Utterance
from ssml.data.shards import write_tar
from ssml.files.io import sha256

from .measure import in_turn, options, row, show


def people(K: int, seconds: float) -> list[Utterance]:
    """An utterance of each of K speakers."""
    samples = int(seconds * RATE)
    return [
        Utterance("train", str(k), "", f"{k}-0-0", f"{k}.flac", samples, "0" * 64, "")
        for k in range(K)
    ]


def scene(K: int, seconds: float) -> scenes.Scene:
    """A scene of `params.yaml`'s ranges with K speakers."""
    params = load(Path("params.yaml")).scenes
    chosen = params.sets["train"].model_copy(update={"speakers": K})
    params = params.model_copy(update={"sets": {"train": chosen}})
    return scenes.draw("train", 0, params, 1, people(K, seconds), RATE)


def bank(one: scenes.Scene, dry: np.ndarray, folder: Path) -> Bank:
    """A bank of one room, `one`, and one utterance a speaker, `dry` (K, N)."""
    params = load(Path("params.yaml"))
    for k, speech in enumerate(dry):
        soundfile.write(folder / f"{k}.flac", speech, RATE)
    responses = rooms.by_speaker(rooms.responses(one, RATE, params.mix.max_order))
    write_tar(folder / "0000.tar", [(one.id, encode_room(one, responses))])
    spoken = [
        replace(one, sha256=sha256(folder / one.path))
        for one in people(len(dry), dry.shape[1] / RATE)
    ]
    chosen = params.scenes.sets["train"].model_copy(update={"speakers": len(dry)})
    level, snr = params.scenes.level, params.scenes.snr
    redraw = RedrawParams(level=level, snr=snr, speed=(1, 1), tone=0)
    noise = params.mix.noise
    return Bank([folder / "0000.tar"], spoken, folder, "train", chosen, noise, redraw, RATE)


def by_room(one: scenes.Scene, dry: np.ndarray, max_order: int) -> np.ndarray:
    """The images (K, M, N) by `room.simulate`."""
    absorption, order = pra.inverse_sabine(one.t60, one.room)
    room = pra.ShoeBox(
        one.room, fs=RATE, materials=pra.Material(absorption), max_order=min(order, max_order)
    )
    for position, signal in zip(one.speakers, dry, strict=True):
        room.add_source(position, signal=signal)
    room.add_microphone_array(np.array(one.mics).T)
    return np.asarray(room.simulate(return_premix=True))


def compare(K: int, seconds: float, params: MixParams, rounds: int) -> dict:
    one = scene(K, seconds)
    dry = 0.1 * np.random.default_rng(0).standard_normal((K, int(seconds * RATE)))
    dry = dry[:, : one.n_samples].astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        stored, positions = bank(one, dry, Path(folder)), count()
        calls = {
            "room.simulate, images alone": lambda: by_room(one, dry, params.max_order),
            "ssml, rendered with noise": lambda: rooms.simulate(one, dry, params, 1, RATE),
            "ssml, responses alone": lambda: rooms.responses(one, RATE, params.max_order),
            "ssml, drawn with noise in a stored room": lambda: stored.draw(
                next(positions), one.n_samples, 1
            ),
        }
        found = in_turn(calls, rounds)
    unit = sorted(found["room.simulate, images alone"])[rounds // 2]
    return {name: row(values, unit) for name, values in found.items()}


def render(number: int) -> None:
    """Render the scene of 2 speakers, with the noise of mixture `number`."""
    one = scene(2, 6.0)
    dry = 0.1 * np.random.default_rng(number).standard_normal((2, one.n_samples))
    rooms.simulate(one, dry.astype(np.float32), load(Path("params.yaml")).mix, number, RATE)


def spread(number: int, rounds: int) -> dict:
    """Mixtures rendered by one process and by one for each core, as Snakemake's shards are."""
    cores = os.cpu_count() or 1
    with ProcessPoolExecutor(1) as one, ProcessPoolExecutor(cores) as all_cores:
        calls = {
            f"{n} mixtures, {name}": partial(_all, pool, n)
            for name, pool in (("1 process", one), (f"{cores} processes", all_cores))
            for n in (number, 2 * number)
        }
        found = in_turn(calls, rounds)
    unit = sorted(found[f"{number} mixtures, 1 process"])[rounds // 2]
    return {name: row(values, unit) for name, values in found.items()}


def _all(pool: Executor, number: int) -> None:
    list(pool.map(render, range(number)))


def main() -> None:
    chosen = options(__doc__ or "", rounds=5, seconds=6, mixtures=24)
    params = load(Path("params.yaml")).mix
    tables = {}
    for K in (2, 4):
        case = f"{K} speakers, {chosen.seconds} s"
        tables[case] = compare(K, chosen.seconds, params, chosen.rounds)
    tables["2 speakers, 6 s, in processes"] = spread(chosen.mixtures, chosen.rounds)
    show("Simulation of a mixture", tables, chosen.json)


if __name__ == "__main__":
    main()
