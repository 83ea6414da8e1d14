"""Shards of simulated mixtures, as tar files that `webdataset` also reads; batches from them."""

import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ssml.config.names import ReferenceName
from ssml.files.errors import UserError
from ssml.files.io import atomic, encode_flac, read_audio
from ssml.files.provenance import generator


class StoredMixture(NamedTuple):
    """A mixture as a shard stores it."""

    mix: np.ndarray  # (M, N)
    reverberant: np.ndarray  # (K, N)
    early: np.ndarray  # (K, N), direct sound and 50 ms
    info: dict[str, Any]

    def reference(self, name: ReferenceName) -> np.ndarray:
        """The images (K, N) of the sources that outputs are compared with."""
        return self.early if name == "early" else self.reverberant


class Batch(NamedTuple):
    mix: np.ndarray  # (B, M, N)
    ref: np.ndarray  # (B, K, N)


def write_tar(path: Path | str, items: Iterable[tuple[str, Mapping[str, bytes]]]) -> None:
    """Write `(key, {extension: data})` as `key.extension` members; same items, same bytes."""
    with atomic(path) as temporary, tarfile.open(temporary, "w") as tar:
        for key, parts in items:
            for extension, data in parts.items():
                member = tarfile.TarInfo(f"{key}.{extension}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))


def encode_mixture(example: StoredMixture, fs: int) -> dict[str, bytes]:
    return {
        "mix.flac": encode_flac(example.mix, fs),
        "reverberant.flac": encode_flac(example.reverberant, fs),
        "early.flac": encode_flac(example.early, fs),
        "json": json.dumps(example.info, sort_keys=True).encode(),
    }


class Tar:
    """Random access to the members of a tar file by key, without unpacking it."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.parts: dict[str, dict[str, tuple[int, int]]] = {}
        try:
            with tarfile.open(path, "r:") as tar:  # never compressed
                for member in tar:
                    self._note(member)
            self._check_end()
        except (OSError, ValueError, tarfile.TarError) as error:
            message = f"{path}: cannot be read as a tar file ({error}); delete it and run again"
            raise UserError(message) from error

    def _note(self, member: tarfile.TarInfo) -> None:
        key, _, extension = member.name.partition(".")
        known = self.parts.setdefault(key, {})
        if not member.isreg() or "/" in member.name or not key or extension in known:
            raise tarfile.ReadError(f"member '{member.name}' does not belong in a shard")
        known[extension] = (member.offset_data, member.size)

    def _check_end(self) -> None:
        """Raise `ReadError` for a file cut between two members: it lacks the zeros at its end."""
        places = [place for parts in self.parts.values() for place in parts.values()]
        if not places:
            raise tarfile.ReadError("holds nothing")
        offset, size = max(places)
        with open(self.path, "rb") as file:
            file.seek(offset + -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE)
            if file.read(2 * tarfile.BLOCKSIZE) != bytes(2 * tarfile.BLOCKSIZE):
                raise tarfile.ReadError("cut short")

    def read(self, key: str, extension: str) -> bytes:
        if extension not in self.parts.get(key, {}):
            message = f"{self.path}: holds no {key}.{extension}; delete it and run again"
            raise UserError(message)
        offset, size = self.parts[key][extension]
        with open(self.path, "rb") as file:
            file.seek(offset)
            return file.read(size)

    def audio(self, key: str, extension: str, fs: int) -> np.ndarray:
        name = f"{self.path}:{key}.{extension}"
        return read_audio(self.read(key, extension), fs, name)[0]

    def json(self, key: str) -> dict[str, Any]:
        try:
            return dict(json.loads(self.read(key, "json")))
        except (ValueError, TypeError) as error:
            message = f"{self.path}: {key}.json is not JSON ({error}); delete it and run again"
            raise UserError(message) from error


class ShardReader:
    """The mixtures of some shards, the first `limit` in order; audio is decoded on access."""

    def __init__(self, paths: Iterable[Path | str], fs: int, limit: int | None = None) -> None:
        self.fs, self.limit = fs, limit
        self.tars = [Tar(path) for path in paths]

    @cached_property
    def keys(self) -> list[tuple[int, str]]:
        keys = [(i, key) for i, tar in enumerate(self.tars) for key in tar.parts]
        return keys[: self.limit]

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, index: int) -> StoredMixture:
        shard, key = self.keys[index]
        tar = self.tars[shard]
        mix, reverberant, early = (
            tar.audio(key, f"{part}.flac", self.fs) for part in ("mix", "reverberant", "early")
        )
        if not mix.shape[1:] == reverberant.shape[1:] == early.shape[1:]:
            message = f"{tar.path}: the parts of {key} differ in length; delete it and run again"
            raise UserError(message)
        return StoredMixture(mix, reverberant, early, tar.json(key))

    def __iter__(self) -> Iterator[StoredMixture]:
        return (self[index] for index in range(len(self)))


def positions(step: int, size: int, rank: int = 0, ranks: int = 1) -> range:
    """The positions of the mixtures of a batch, or of one process's part of it."""
    first, last = (step * size + size * part // ranks for part in (rank, rank + 1))
    return range(first, last)


def turn(position: int, count: int, seed: int) -> int:
    """Index of the mixture or room at `position`: each of `count` once an epoch, shuffled."""
    epoch, place = divmod(position, count)
    return int(generator(seed, "epoch", epoch).permutation(count)[place])


def latest_cut(length: int, heard: int, n_samples: int) -> int:
    """The latest first sample of a cut of `n_samples` from a mixture of `length` samples.

    All sources speak in the first `heard` samples of the mixture. In the latest cut every source
    still speaks for a quarter of the cut.
    """
    return max(min(length - n_samples, heard - n_samples // 4), 0)


def draw_batch(
    mixtures: ShardReader,
    step: int,
    size: int,
    n_samples: int,
    seed: int,
    rank: int = 0,
    ranks: int = 1,
    reference: ReferenceName = "reverberant",
) -> Batch:
    """Batch number `step`: random cuts of mixtures, every mixture once an epoch.

    Each of `ranks` processes gets its own part of the batch. The batch depends on `(seed, step)`
    alone, so training resumes without a state. A mixture shorter than `n_samples` is padded with
    zeros at its end.
    """
    mix, ref = [], []
    for position in positions(step, size, rank, ranks):
        example = mixtures[turn(position, len(mixtures), seed)]
        latest = latest_cut(example.mix.shape[1], _last_heard(example), n_samples)
        start = int(generator(seed, "cut", position).integers(latest + 1))
        for parts, audio in ((mix, example.mix), (ref, example.reference(reference))):
            cut = audio[:, start : start + n_samples]
            parts.append(np.pad(cut, ((0, 0), (0, n_samples - cut.shape[1]))))
    return Batch(np.stack(mix), np.stack(ref))


def _last_heard(example: StoredMixture) -> int:
    """The sample at which the first of the sources falls silent (60 dB below its peak)."""
    audible = np.abs(example.reverberant)
    audible = audible > 1e-3 * audible.max(axis=-1, keepdims=True)
    return int(min(audible.shape[1] - np.argmax(audible[:, ::-1], axis=-1)))
