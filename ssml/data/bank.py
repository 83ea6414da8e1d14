"""Training mixtures drawn anew at every step: room responses x voices x levels x noise.

The room responses are simulated once. Each time a room is used, speakers, parts of their
utterances, speed, tone, levels, noise and the order of microphones are drawn again. That costs a
few FFTs.
"""

import io
import json
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr
from scipy import fft

from ssml.config.mixtures import RedrawParams, SetParams
from ssml.config.names import ReferenceName
from ssml.files.errors import UserError
from ssml.files.provenance import generator

from . import disturbances, mixing, scenes
from .corpora import Utterance, load
from .noise import at_microphones
from .shards import Batch, Tar, latest_cut, positions, turn

KEPT = 1024  # utterances whose audio stays in memory
TRIES = 50  # drawings of speech that is silent before giving up
OCTAVES = 7  # from half the sampling rate down, whose levels `colour` changes


class Room(NamedTuple):
    """A scene without its speech."""

    responses: np.ndarray  # (K, M, L) float32
    mics: np.ndarray  # (M, 3), m


def encode_room(scene: scenes.Scene, responses: np.ndarray) -> dict[str, bytes]:
    """The files that a shard stores of a scene and its responses (K, M, L)."""
    data = io.BytesIO()
    np.save(data, responses.astype(np.float32))
    return {"npy": data.getvalue(), "json": json.dumps(scene.to_json(), sort_keys=True).encode()}


class Bank:
    """The rooms of some shards, and the utterances to be spoken in them."""

    def __init__(
        self,
        paths: Iterable[Path | str],
        utterances: Iterable[Utterance],
        root: Path,
        name: str,
        chosen: SetParams,
        noise: str,
        redraw: RedrawParams,
        fs: int,
    ) -> None:
        """`chosen`: the set `name`, which says who speaks and how long; `root`: folder of audio."""
        self.chosen, self.noise, self.redraw, self.fs = chosen, noise, redraw, fs
        self.tars = [Tar(path) for path in paths]
        self.keys = [(tar, key) for tar in self.tars for key in tar.parts]
        self.pool = scenes.pool(name, self.chosen, utterances, fs)
        self.speech = lru_cache(KEPT)(lambda utterance: load_audible(utterance, root))

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

    def talkers(self, step: int, seed: int) -> int:
        """How many talk in the mixtures of a step."""
        chosen = self.redraw.talkers or [self.chosen.speakers]
        return int(generator(seed, "talkers", step).choice(chosen))

    def draw(
        self,
        position: int,
        n_samples: int,
        seed: int,
        K: int | None = None,
        reference: ReferenceName = "reverberant",
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mixture (K, N) and references (K, N) at `position`: a function of seed and position.

        K: number of talkers, and of microphones; None: all that the room has. Raises `UserError`
        where a recording is silent, or all that a speaker says in it.
        """
        room = self.room(turn(position, len(self), seed))
        rng = generator(seed, "draw", position)
        order = rng.permutation(len(room.mics))
        responses, mics = room.responses[:, order], room.mics[order]
        voices = generator(seed, "voices", position)
        others = generator(seed, "disturbances", position)
        spare = None
        if K is not None and len(responses) > K:
            places = others.permutation(len(responses))
            spare = responses[places[K], :K]
            responses, mics = responses[places[:K], :K], mics[:K]
        shares = self.redraw.disturbances
        pauses = shares is not None and others.random() < shares.pause
        for _ in range(TRIES):
            picks, dry = self._voices(responses, n_samples, rng, voices, others if pauses else None)
            before = dry.shape[-1] - n_samples
            images = mixing.convolve(dry, responses, before)
            silent = mixing.silent(images)
            if not len(silent):
                break
        else:
            raise UserError(
                f"{picks[silent[0]].utterance}: is silent where the training uses it, in {TRIES} "
                "drawings; replace the recording"
            )
        levels = (0.0, *rng.uniform(*self.redraw.level, len(images) - 1))
        snr = rng.uniform(*self.redraw.snr)
        other = disturbances.noise(shares, spare, self.fs, others) if shares else None

        def noise(speech: np.ndarray) -> np.ndarray:
            if other is not None:
                return other(speech, len(mics))
            return at_microphones(self.noise, self.chosen.split, mics, speech, rng, self.fs)

        mixed = mixing.mix_at(images, levels, snr, noise)
        mix, ref = mixed.images.sum(0) + mixed.noise, mixed.images[:, 0]
        level = float(np.sqrt(np.mean(ref.sum(0) ** 2)))
        if reference == "early":
            near = mixing.convolve(dry, mixing.early(responses[:, :1], self.fs), before)
            ref = near[:, 0] * mixed.gains[:, None]
        if shares is None:
            return mix, ref
        return disturbances.disturb(mix, ref, level, shares, self.fs, others)

    def _voices(
        self,
        responses: np.ndarray,
        n_samples: int,
        rng: np.random.Generator,
        voices: np.random.Generator,
        pauses: np.random.Generator | None,
    ) -> tuple[list[Utterance], np.ndarray]:
        """Random utterances of random speakers, and parts of them (K, before + N).

        The samples `before` are those whose reverberation reaches the part of the mixture.

        Speakers, utterances and parts are drawn from `rng`, speed and tone from `voices`, the pause
        of the last speaker from `pauses`; None: no pause.
        """
        picks = scenes.pick(self.pool, len(responses), rng)
        # no utterance becomes shorter than the least length of the set
        least = self.chosen.seconds[0] * self.fs
        speeds = voices.uniform(*self.redraw.speed, len(picks))
        speeds = [min(v, one.samples / least) for v, one in zip(speeds, picks, strict=True)]
        resampled = [
            replace(one, samples=int(one.samples / v)) for v, one in zip(speeds, picks, strict=True)
        ]
        length, cuts = scenes.cut(self.chosen, resampled, self.fs, rng)
        spoken = min(stop - first for first, stop in cuts)
        start = int(rng.integers(latest_cut(length, spoken, n_samples) + 1))
        before = min(start, responses.shape[-1] - 1)  # samples whose reverberation reaches the cut
        dry = np.zeros((len(picks), before + n_samples), np.float32)
        for k, (pick, speed, (first, stop)) in enumerate(zip(picks, speeds, cuts, strict=True)):
            bounds = first + start - before, min(first + start + n_samples, stop)
            part = at_speed(self.speech(pick), speed, *bounds)
            dry[k, : len(part)] = part
        if pauses is not None:
            disturbances.pause(dry, before, pauses)
        tone = voices.uniform(-self.redraw.tone, self.redraw.tone, (len(picks), OCTAVES))
        return picks, colour(dry, tone, self.fs)


def load_audible(utterance: Utterance, root: Path) -> np.ndarray:
    """The audio (samples,) of an utterance; raises `UserError` where there is nothing to hear."""
    audio = load(utterance, root)
    if not audio.any():
        raise UserError(f"{utterance.utterance}: is silent; replace the recording")
    return audio


def at_speed(speech: np.ndarray, speed: float, first: int, stop: int) -> np.ndarray:
    """Samples `first` to `stop`, as far as they exist, of `speech` (N,) sped up by `speed`."""
    if speed == 1:
        return speech[max(first, 0) : max(stop, 0)]
    part = speech[int(first * speed) : int(np.ceil(stop * speed))]
    return soxr.resample(part, speed, 1, "MQ")[: max(stop - first, 0)] if len(part) else part


def colour(dry: np.ndarray, tone: np.ndarray, fs: int) -> np.ndarray:
    """Sources (K, N) with gains `tone` (K, octaves) in dB at fs / 2 and at the octaves below."""
    if not tone.any():
        return dry
    n_fft = int(fft.next_fast_len(dry.shape[-1] + fs // 10, real=True))  # type: ignore[arg-type]
    octaves = np.log2(np.maximum(fft.rfftfreq(n_fft, 1 / fs), 1) / fs)
    known = np.arange(1 - tone.shape[-1], 1) - 1.0
    gains = [10 ** (np.interp(octaves, known, row) / 20) for row in tone]
    spectra = fft.rfft(dry, n_fft) * np.array(gains, dry.dtype)  # type: ignore[operator]
    return fft.irfft(spectra, n_fft)[..., : dry.shape[-1]]  # type: ignore[index]


def draw_batch(
    bank: Bank,
    step: int,
    size: int,
    n_samples: int,
    seed: int,
    rank: int = 0,
    ranks: int = 1,
    reference: ReferenceName = "reverberant",
) -> Batch:
    """Batch number `step`, or one process's part of it: each room once an epoch, new speech.

    `size` mixtures of the fewest talkers that are drawn; of more talkers so many fewer that a step
    costs about the same.
    """
    K = bank.talkers(step, seed)
    fewest = min(bank.redraw.talkers, default=K)
    places = positions(step, size, rank, ranks)
    places = places[: max(len(places) * fewest // K, 1)]
    drawn = [bank.draw(place, n_samples, seed, K, reference) for place in places]
    mix, ref = zip(*drawn, strict=True)
    return Batch(np.stack(mix).astype(np.float32), np.stack(ref).astype(np.float32))
