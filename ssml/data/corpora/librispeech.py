"""Any folder laid out as LibriSpeech: `subset/speaker/chapter/<speaker>-<chapter>-<n>.flac`."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ssml.config.names import RATE
from ssml.config.sections import CorpusParams, LibriSpeechParams
from ssml.files import io
from ssml.files.errors import UserError

from .download import fetch
from .utterance import Utterance

ID = re.compile(r"[^-\s]+-[^-\s]+-[^-\s]+")
KEY = "corpus.librispeech"


def prepare(corpus: CorpusParams, seed: int, root: Path) -> list[Utterance]:
    """List the utterances of `root` as the section says, after the download it may ask for.

    Raises `UserError` for a subset, file or id that is missing or unfit, and for a speaker of two
    splits.
    """
    params = corpus.librispeech
    root = Path(root)
    subsets = _subsets(params)
    if params.download:
        for subset in {name: None for names in subsets.values() for name in names}:
            if not (root / subset).is_dir():
                fetch(subset, root)
    chosen = files(params, root)
    split_of = {name: split for split, names in subsets.items() for name in names}
    sexes, transcripts = _sexes(root), _transcripts({path.parent for path in chosen})
    utterances = [
        _utterance(path, root, split_of[path.relative_to(root).parts[0]], sexes, transcripts)
        for path in chosen
    ]
    if not params.dev:
        utterances = _hold_out(utterances, params.held_out)
    _check_speakers(utterances)
    return utterances


def files(params: LibriSpeechParams, root: Path) -> list[Path]:
    """The audio files in the folder `root` that the section chooses.

    Raises `UserError` for a subset or an id that is missing.
    """
    found = [
        path
        for split, names in _subsets(params).items()
        for name in names
        for path in _files(root, name, split)
    ]
    return _listed(found, params.utterances)


def _subsets(params: LibriSpeechParams) -> dict[str, list[str]]:
    """The names of each split's subsets, of which none is there twice."""
    subsets = {"train": params.train, "dev": params.dev, "test": params.test}
    names = [name for subset in subsets.values() for name in subset]
    for name in names:
        if names.count(name) > 1:
            raise UserError(
                f"{KEY}: '{name}' is named twice among train, dev and test; name it once"
            )
        if Path(name).name != name or name in {".", ".."}:
            raise UserError(f"{KEY}: '{name}' is not the name of a subset, such as train-clean-100")
    for split in ("train", "test"):
        if not subsets[split]:
            raise UserError(f"{KEY}.{split}: empty; name at least one subset")
    return subsets


def _files(root: Path, subset: str, split: str) -> list[Path]:
    """The audio files of a subset, sorted."""
    folder = root / subset
    if not folder.is_dir():
        raise UserError(
            f"{folder}: no such folder; mend {KEY}.root or {KEY}.{split}, or set {KEY}.download "
            "to true"
        )
    files = sorted(folder.glob("*/*/*.flac"))
    if not files:
        raise UserError(
            f"{folder}: no <speaker>/<chapter>/*.flac in it; unpack the subset there again, or "
            f"take '{subset}' out of {KEY}.{split}"
        )
    return files


def _listed(files: list[Path], name: str | None) -> list[Path]:
    """Those of `files` whose ids the file `name` lists; all without a list."""
    if name is None:
        return files
    try:
        lines = Path(name).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{name}: cannot be read ({error}); mend {KEY}.utterances") from error
    ids = {line.split("#")[0].strip() for line in lines} - {""}
    if not ids:
        raise UserError(f"{name}: lists no utterance; add ids, or set {KEY}.utterances to null")
    missing = sorted(ids - {path.stem for path in files})
    if missing:
        raise UserError(
            f"{name}: {len(missing)} of its ids, such as {missing[0]}, are in none of the subsets; "
            f"take them out or add their subset to {KEY}"
        )
    return [path for path in files if path.stem in ids]


def _sexes(root: Path) -> dict[str, str]:
    """Speaker to F or M, from SPEAKERS.TXT where there is one."""
    path = root / "SPEAKERS.TXT"
    if not path.is_file():
        return {}
    rows = [line.split("|") for line in path.read_text(errors="replace").splitlines()]
    rows = [[field.strip() for field in row] for row in rows if not row[0].startswith(";")]
    return {row[0]: row[1] for row in rows if len(row) > 1 and row[1] in ("F", "M")}


def _transcripts(chapters: Iterable[Path]) -> dict[str, str]:
    """Utterance id to text, from the `*.trans.txt` of `chapters`."""
    texts: dict[str, str] = {}
    for path in (path for chapter in chapters for path in chapter.glob("*.trans.txt")):
        try:
            lines = path.read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path}: cannot be read ({error}); replace the file") from error
        texts |= {name: text for name, _, text in (line.partition(" ") for line in lines)}
    return texts


def _utterance(
    path: Path, root: Path, split: str, sexes: dict[str, str], transcripts: dict[str, str]
) -> Utterance:
    speaker = path.parent.parent.name
    if not ID.fullmatch(path.stem) or not path.stem.startswith(f"{speaker}-{path.parent.name}-"):
        raise UserError(
            f"{path}: not named <speaker>-<chapter>-<utterance>.flac; rename or remove it"
        )
    return Utterance(
        split=split,
        speaker=speaker,
        sex=sexes.get(speaker, ""),
        utterance=path.stem,
        path=path.relative_to(root).as_posix(),
        samples=_samples(path),
        sha256=io.sha256(path),
        text=transcripts.get(path.stem, "").strip(),
    )


def _samples(path: Path) -> int:
    """The length of a file, by its header."""
    import soundfile  # only where audio is read

    try:
        header = soundfile.info(str(path))
    except (OSError, RuntimeError) as error:
        raise UserError(f"{path}: cannot be read as audio ({error}); replace the file") from error
    if header.samplerate != RATE or header.channels != 1:
        raise UserError(
            f"{path}: {header.samplerate} Hz with {header.channels} channels, where {RATE} Hz "
            "mono is needed; replace the file"
        )
    if header.frames == 0:
        raise UserError(f"{path}: holds no samples; replace the file")
    return header.frames


def _hold_out(utterances: list[Utterance], count: int) -> list[Utterance]:
    """Make the `count` training speakers dev whose ids have the smallest SHA-256."""
    speakers = {item.speaker for item in utterances if item.split == "train"}
    if not 0 < count < len(speakers):
        raise UserError(
            f"{KEY}.held_out: {count} of {len(speakers)} training speakers; it must leave some for "
            f"training and some for dev, or name subsets in {KEY}.dev"
        )
    held = sorted(speakers, key=lambda name: hashlib.sha256(name.encode()).hexdigest())[:count]
    return [
        replace(item, split="dev") if item.split == "train" and item.speaker in held else item
        for item in utterances
    ]


def _check_speakers(utterances: list[Utterance]) -> None:
    """Each speaker is of one split, each split has speakers, each id is there once."""
    split_of: dict[str, str] = {}
    for item in utterances:
        split = split_of.setdefault(item.speaker, item.split)
        if split != item.split:
            raise UserError(
                f"{KEY}: speaker {item.speaker} is in {split} and {item.split}; "
                "name subsets without common speakers"
            )
    for split in ("train", "dev", "test"):
        if split not in split_of.values():
            raise UserError(f"{KEY}.{split}: no utterance is left; mend {KEY}.utterances")
    ids = [item.utterance for item in utterances]
    if len(set(ids)) < len(ids):
        twice = next(name for name in ids if ids.count(name) > 1)
        raise UserError(f"{KEY}: utterance {twice} is there twice; remove one")
