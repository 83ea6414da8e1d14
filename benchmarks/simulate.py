"""Mixtures in simulated rooms, against pyroomacoustics' own `simulate` of the same scenes."""

from pathlib import Path

import numpy as np
import pyroomacoustics as pra

from ssml import rooms, scenes
from ssml.corpora import Utterance
from ssml.params import load

from .measure import in_turn, options, row, show

FS = 16000


def scene(K: int, seconds: float) -> scenes.Scene:
    """A scene of `params.yaml`'s ranges with K speakers."""
    params = load(Path("params.yaml")).scenes
    people = [
        Utterance("test", str(k), "", f"{k}-0-0", "", int(seconds * FS), "", "") for k in range(K)
    ]
    return scenes.draw(f"test{K}", 0, params, 1, people, FS)


def by_room(one: scenes.Scene, dry: np.ndarray, max_order: int) -> np.ndarray:
    """The images (K, M, N) by `room.simulate`."""
    absorption, order = pra.inverse_sabine(one.t60, one.room)
    room = pra.ShoeBox(
        one.room, fs=FS, materials=pra.Material(absorption), max_order=min(order, max_order)
    )
    for position, signal in zip(one.speakers, dry, strict=True):
        room.add_source(position, signal=signal)
    room.add_microphone_array(np.array(one.mics).T)
    return room.simulate(return_premix=True)


def main() -> None:
    chosen = options(__doc__ or "", rounds=5)
    params = load(Path("params.yaml")).mix
    tables = {}
    for K, seconds in ((2, 8.0), (4, 8.0)):
        one = scene(K, seconds)
        dry = np.random.default_rng(0).standard_normal((K, one.n_samples)).astype(np.float32)
        found = in_turn(
            {
                "ssml, with noise and levels": lambda one=one, dry=dry: rooms.simulate(
                    one, dry, params, 1, FS
                ),
                "ssml, responses alone": lambda one=one: rooms.responses(one, FS, params.max_order),
                "room.simulate, images alone": lambda one=one, dry=dry: by_room(
                    one, dry, params.max_order
                ),
            },
            chosen.rounds,
        )
        unit = sorted(found["ssml, with noise and levels"])[chosen.rounds // 2]
        tables[f"{K} speakers, {seconds:.0f} s"] = {k: row(v, unit) for k, v in found.items()}
    show("Simulation of a mixture", tables, chosen.json)


if __name__ == "__main__":
    main()
