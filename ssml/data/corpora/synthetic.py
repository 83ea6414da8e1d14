"""The synthetic corpus: espeak-ng's voices speak sentences of a grammar, in LibriSpeech's layout.

Each voice is a speaker of one split, and the splits share no variant and no sentence.
`manifest.json` beside the audio records how each file was made. Files that match it are kept.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssml.config.names import RATE
from ssml.config.sections import CorpusParams, SyntheticParams
from ssml.files import io, provenance
from ssml.files.errors import UserError

from . import grammar, voices
from .speech import Speaker, engine
from .utterance import Split, Utterance
from .voices import Measure, Voice

FIRST: dict[Split, int] = {"train": 1001, "dev": 2001, "test": 3001}  # speaker numbers
HIGH = 160.0  # Hz; a higher median F0 is called female
# Test voices must be understood, or word error rates would say nothing of the separation. Of all
# 104 variants in en-us, PocketSphinx 5.1 with `grammar.jsgf()` heard 3 clean sentences each, of the
# best 28 five more at each of these pitches, of the best 18 another 16 (some 180 words a voice). In
# the last, these have at most 5 % word errors at any pitch; half of the 104 have 40 to 100 %.
INTELLIGIBLE = (
    *("edward", "mike2", "benjamin", "f2", "f5"),
    *("robosoft", "robosoft2", "robosoft3", "robosoft5", "robosoft6"),
)
TEST_PITCHES = (20, 50, 80)
TEST_RATE = 150


@dataclass(frozen=True)
class Talker:
    """A speaker of the corpus."""

    split: Split
    number: int
    voice: Voice
    measure: Measure

    @property
    def sex(self) -> str:
        return "F" if self.measure.f0 > HIGH else "M"


@dataclass(frozen=True)
class Line:
    """A sentence to be spoken, and where its audio goes."""

    talker: Talker
    chapter: str  # folder, relative to the root
    name: str
    text: str

    @property
    def path(self) -> str:
        return f"{self.chapter}/{self.name}.flac"


def choose_talkers(params: SyntheticParams, speaker: Speaker) -> list[Talker]:
    """Choose the voices of all splits, test first; each differs as much as possible from others."""

    def measure_voiced(choice: list[Voice]) -> dict[Voice, Measure]:
        measures = {
            voice: voices.measure(speaker.say(voice, voices.SENTENCE), RATE) for voice in choice
        }
        return {voice: m for voice, m in measures.items() if m.voiced > voices.VOICED}

    test = measure_voiced(
        [
            Voice("en-us", variant, pitch, TEST_RATE)
            for variant in INTELLIGIBLE
            for pitch in TEST_PITCHES
        ]
    )
    rest = [variant for variant in speaker.variants if variant not in INTELLIGIBLE]
    others = measure_voiced(voices.candidates(rest))
    chosen: list[Talker] = []
    used: set[str] = set()
    pools: dict[Split, dict[Voice, Measure]] = {"test": test, "dev": others, "train": others}
    for split, pool in pools.items():
        pool = {voice: m for voice, m in pool.items() if voice.variant not in used}
        apart_from = [talker.measure for talker in chosen]
        picked = voices.farthest(pool, params.voices[split], apart_from)
        numbered = enumerate(picked, start=FIRST[split])
        chosen += [Talker(split, number, voice, pool[voice]) for number, voice in numbered]
        used |= {voice.variant for voice in picked}
    return chosen


def draw_sentences(talkers: list[Talker], params: SyntheticParams, seed: int) -> list[Line]:
    """The sentences of all speakers, none twice."""
    lines: list[Line] = []
    said: set[str] = set()
    for talker in talkers:
        random = provenance.generator(seed, "sentences", talker.number)
        chapter = f"{talker.split}/{talker.number}/1"
        for index in range(params.utterances[talker.split]):
            text = grammar.sentence(random)
            while text in said or grammar.split(text) != talker.split:
                text = grammar.sentence(random)
            said.add(text)
            lines.append(Line(talker, chapter, f"{talker.number}-1-{index:04d}", text))
    return lines


def prepare(corpus: CorpusParams, seed: int, root: Path) -> list[Utterance]:
    """Speak the missing or damaged files of the corpus into `root`, and list all utterances."""
    params = corpus.synthetic
    for key, counts in (("voices", params.voices), ("utterances", params.utterances)):
        for split in FIRST:
            if split not in counts:
                raise UserError(f"corpus.synthetic.{key}: no '{split}'; add it")
    with engine() as speaker:
        lines = draw_sentences(choose_talkers(params, speaker), params, seed)
        old = _read_records(root)
        files = {
            line.path: _speak_if_missing(line, root, old.get(line.path), speaker) for line in lines
        }
        version = speaker.version
    for path in old.keys() - files.keys():  # of other parameters; no part of this corpus
        (root / path).unlink(missing_ok=True)
    _write_texts(lines, files, root)
    io.write_json(root / "manifest.json", {"engine": f"espeak-ng {version}", "files": files})
    return [_utterance(line, files[line.path]) for line in lines]


def _utterance(line: Line, record: dict[str, Any]) -> Utterance:
    talker = line.talker
    return Utterance(
        split=talker.split,
        speaker=str(talker.number),
        sex=talker.sex,
        utterance=line.name,
        path=line.path,
        samples=record["samples"],
        sha256=record["sha256"],
        text=line.text.upper(),
    )


def _read_records(root: Path) -> dict[str, Any]:
    """The records of an earlier run; empty where its manifest is missing or damaged."""
    try:
        files = io.read_json(root / "manifest.json")["files"]
        return {path: record for path, record in files.items() if record["sha256"]}
    except (UserError, KeyError, TypeError, AttributeError):
        return {}


def _speak_if_missing(
    line: Line, root: Path, old: dict[str, Any] | None, speaker: Speaker
) -> dict[str, Any]:
    """The record of the line's file, which is spoken unless the file matches its old record."""
    request = {"text": line.text, "engine": speaker.version, **line.talker.voice.record()}
    path = root / line.path
    if (
        old
        and request.items() <= old.items()
        and path.is_file()
        and io.sha256(path) == old["sha256"]
    ):
        return old
    audio = speaker.say(line.talker.voice, line.text)
    io.write_bytes(path, io.encode_flac(audio, RATE))
    return {**request, "samples": len(audio), "sha256": io.sha256(path)}


def _write_texts(lines: list[Line], files: dict[str, Any], root: Path) -> None:
    """LibriSpeech's transcripts and table of speakers."""
    chapters: dict[str, list[Line]] = {}
    for line in lines:
        chapters.setdefault(line.chapter, []).append(line)
    table = [
        "; Voices of espeak-ng; the sex is that of the median F0\n;ID  |SEX| SUBSET|MINUTES| NAME"
    ]
    for chapter, spoken in chapters.items():
        talker, voice = spoken[0].talker, spoken[0].talker.voice
        text = "".join(f"{line.name} {line.text.upper()}\n" for line in spoken)
        io.write_text(root / chapter / f"{talker.number}-1.trans.txt", text)
        minutes = sum(files[line.path]["samples"] for line in spoken) / RATE / 60
        name = f"{voice.language}+{voice.variant} {voice.pitch} {voice.rate}"
        row = (f"{talker.number:<5}", f" {talker.sex} ", f" {talker.split:<5} ")
        table.append("|".join([*row, f" {minutes:5.2f} ", f" {name}"]))
    io.write_text(root / "SPEAKERS.TXT", "\n".join(table) + "\n")
