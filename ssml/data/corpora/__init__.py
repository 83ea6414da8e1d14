"""Corpora of utterances: `CORPORA[source](section, seed, root)` prepares one and lists it."""

import hashlib
import inspect
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from ssml.config.names import RATE
from ssml.config.sections import CorpusParams
from ssml.files import io, own
from ssml.files.errors import UserError
from ssml.files.provenance import digest

from . import librispeech, synthetic
from .utterance import Utterance

COLUMNS = [field.name for field in fields(Utterance)]
CORPORA: dict[str, Callable[[CorpusParams, int, Path], list[Utterance]]] = {
    "synthetic": synthetic.prepare,
    "librispeech": librispeech.prepare,
}


def prepare(corpus: CorpusParams, seed: int, root: Path) -> list[Utterance]:
    """Prepare the corpus that the section names, in `root`, and list its utterances.

    A user's own is imported and also gets the section's options, but for `root`. Raises `UserError`
    where it does not take them, or gives something else.
    """
    if corpus.source in CORPORA:
        return CORPORA[corpus.source](corpus, seed, root)
    make: Any = own.bring(corpus.source)
    options = {key: value for key, value in corpus.options.items() if key != "root"}
    if not callable(make):
        kind = type(make).__name__
        raise UserError(f"corpus.source: {corpus.source} is of type {kind}, not a function")
    try:
        inspect.signature(make).bind(corpus, seed, root, **options)
    except TypeError as error:
        raise UserError(f"corpus.options: {corpus.source}: {error}") from error
    found: Any = make(corpus, seed, root, **options)
    if not isinstance(found, list) or not all(isinstance(one, Utterance) for one in found):
        raise UserError(f"corpus.source: {corpus.source} gave no list of Utterance")
    return found


def root(corpus: CorpusParams, folder: Path) -> Path:
    """The folder of the audio. Audio that is generated or downloaded lies in `folder`.

    Raises `UserError` where LibriSpeech's folder is not given or does not exist.
    """
    if corpus.source == "synthetic":
        return folder / "synthetic"
    if own.is_own(corpus.source):
        return Path(corpus.options.get("root", folder / "own"))
    given = corpus.librispeech.root or os.environ.get("SSML_LIBRISPEECH")
    if corpus.librispeech.download:
        return Path(given) if given else folder / "LibriSpeech"
    if not given:
        raise UserError(
            "corpus.librispeech.root: no folder; name it there or in the environment's "
            "SSML_LIBRISPEECH, or set corpus.librispeech.download to true"
        )
    if not Path(given).is_dir():
        raise UserError(
            f"{given}: no such folder; mend corpus.librispeech.root or the environment's "
            "SSML_LIBRISPEECH"
        )
    return Path(given)


def chosen_files(corpus: CorpusParams, folder: Path, manifest: Path) -> str:
    """A digest of which files of LibriSpeech the section chooses, wherever they lie.

    Their contents are in the manifest, and are compared with it where audio is read. Without
    LibriSpeech's folder, the files are those of the manifest; '' without that, too, and for a
    corpus that is generated or downloaded.
    """
    params = corpus.librispeech
    if corpus.source != "librispeech" or params.download:
        return ""
    try:
        base = root(corpus, folder)
    except UserError:  # made elsewhere, or the stage says what is missing
        paths = [item.path for item in read_manifest(manifest)] if manifest.exists() else []
    else:
        paths = [path.relative_to(base).as_posix() for path in librispeech.files(params, base)]
    return digest(sorted(paths)) if paths else ""


def write_manifest(path: Path | str, utterances: Iterable[Utterance]) -> None:
    """Write `utterances` as CSV, sorted by split and id."""
    ordered = sorted(utterances, key=lambda item: (item.split, item.utterance))
    io.write_table(path, [asdict(item) for item in ordered], COLUMNS)


def read_manifest(path: Path | str) -> list[Utterance]:
    """Read what `write_manifest` wrote; raises `UserError` for anything else."""
    rows = io.read_table(path)
    if not rows:
        raise UserError(f"{path}: lists no utterances; {_AGAIN}")
    utterances = []
    for line, row in enumerate(rows, start=2):
        if list(row) != COLUMNS:
            raise UserError(
                f"{path}: line {line} has not the columns {','.join(COLUMNS)}; {_AGAIN}"
            )
        if row["split"] not in ("train", "dev", "test") or row["sex"] not in ("F", "M", ""):
            raise UserError(f"{path}: line {line} has an unknown split or sex; {_AGAIN}")
        if not row["samples"].isdecimal() or len(row["sha256"]) != 64:
            raise UserError(f"{path}: line {line} has an ill-formed samples or sha256; {_AGAIN}")
        utterances.append(Utterance(**{**row, "samples": int(row["samples"])}))
    return utterances


_AGAIN = "delete it and run the corpus stage again"
CHANGED = "put the file back, or run the corpus stage again: snakemake -R corpus"


def load(utterance: Utterance, root: Path) -> np.ndarray:
    """The audio as float32 (samples,) at 16 kHz.

    Raises `UserError` where the file is missing, corrupt or not mono, its rate or length is not
    that of the manifest, or its SHA-256 is another.
    """
    path = Path(root) / utterance.path
    data = io.read_bytes(path)
    audio, _ = io.read_audio(data, RATE, str(path))
    if len(audio) != 1:
        raise UserError(f"{path}: has {len(audio)} channels where one is needed; replace the file")
    if audio.shape[1] != utterance.samples:
        raise UserError(
            f"{path}: has {audio.shape[1]} samples where the manifest says {utterance.samples}; "
            f"{CHANGED}"
        )
    if hashlib.sha256(data).hexdigest() != utterance.sha256:
        raise UserError(f"{path}: its SHA-256 is not that of the manifest; {CHANGED}")
    return audio[0]
