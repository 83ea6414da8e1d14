"""Training mixtures drawn anew at every step: room responses x speech x levels x noise.

The responses are simulated once. Each time its turn comes, a room gets other speakers, other parts
of their utterances, other levels, noise and order of microphones, for the cost of some FFTs.
"""

import io
import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from . import mixing, scenes
from .corpora import Utterance, load
from .dataset import Batch, Tar, latest_cut, positions, turn
from .errors import UserError
from .params import MixParams, ScenesParams
from .provenance import generator

KEPT = 1024  # utterances whose audio stays in memory


class Room(NamedTuple):
    """A scene without its speech."""

    responses: np.ndarray  # (K, M, L) float32
    mics: np.ndarray  # (M, 3), m


def encode_room(scene: scenes.Scene, responses: np.ndarray) -> dict[str, bytes]:
    """What a shard stores of a scene and its responses (K, M, L)."""
    data = io.BytesIO()
    np.save(data, responses.astype(np.float32))
    return {"npy": data.getvalue(), "json": json.dumps(scene.to_json(), sort_keys=True).encode()}


class Bank:
    """Rooms of some shards, and the utterances that are heard in them."""

    def __init__(
        self,
        paths: Iterable[Path | str],
        utterances: Iterable[Utterance],
        root: Path,
        name: str,
        params: ScenesParams,
        mix: MixParams,
        fs: int,
    ) -> None:
        """Set `name` of `params.sets` says who speaks and how long; `root`: the audio's folder."""
        self.chosen, self.params, self.noise, self.fs = params.sets[name], params, mix.noise, fs
        self.tars = [Tar(path) for path in paths]
        self.keys = [(tar, key) for tar in self.tars for key in tar.parts]
        self.pool = scenes.pool(name, self.chosen, utterances, fs)
        self.speech = lru_cache(KEPT)(lambda utterance: load(utterance, root))

    def __len__(self) -> int:
        return len(self.keys)

    def room(self, index: int) -> Room:
        tar, key = self.keys[index]
        try:
            responses = np.load(io.BytesIO(tar.read(key, "npy")), allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise UserError(
                f"{tar.path}: {key}.npy is no array ({error}); delete it and run again"
            ) from error
        return Room(responses, np.array(tar.json(key)["mics"]))

    def draw(self, position: int, n_samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Mixture (M, N) and references (K, N) number `position`, by `(seed, position)` alone."""
        room = self.room(turn(position, len(self), seed))
        rng = generator(seed, "draw", position)
        order = rng.permutation(len(room.mics))
        responses, mics = room.responses[:, order], room.mics[order]
        images = self._images(responses, n_samples, rng)
        while len(mixing.silent(images)):
            images = self._images(responses, n_samples, rng)
        levels = (0.0, *rng.uniform(*self.params.level, len(images) - 1))
        snr = rng.uniform(*self.params.snr)
        mixed = mixing.mix_at(images, levels, snr, self.noise, mics, rng, self.fs)
        return mixed.images.sum(0) + mixed.noise, mixed.images[:, 0]

    def _images(
        self, responses: np.ndarray, n_samples: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Images (K, M, N) of parts of random utterances of random speakers."""
        picks = scenes.pick(self.pool, self.chosen.speakers, rng)
        length, cuts = scenes.cut(self.chosen, picks, self.fs, rng)
        spoken = min(stop - first for first, stop in cuts)
        start = int(rng.integers(latest_cut(length, spoken, n_samples) + 1))
        before = min(start, responses.shape[-1] - 1)  # whose reverberation is still heard
        dry = np.zeros((len(picks), before + n_samples), np.float32)
        for k, (pick, (first, stop)) in enumerate(zip(picks, cuts, strict=True)):
            part = self.speech(pick)[first:stop][start - before : start + n_samples]
            dry[k, : len(part)] = part
        return mixing.convolve(dry, responses, before)


def draw_batch(
    bank: Bank, step: int, size: int, n_samples: int, seed: int, rank: int = 0, ranks: int = 1
) -> Batch:
    """Batch number `step`, or a process's part: each room once an epoch, never with old speech."""
    drawn = [bank.draw(p, n_samples, seed) for p in positions(step, size, rank, ranks)]
    mix, ref = zip(*drawn, strict=True)
    return Batch(np.stack(mix).astype(np.float32), np.stack(ref).astype(np.float32))
