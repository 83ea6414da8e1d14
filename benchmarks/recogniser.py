"""Settings of PocketSphinx, heard on training speakers only, alone and in rooms.

    python -m benchmarks.recogniser --try lw=8,wip=0.3 --try maxhmmpf=2000

compares the package's settings with each `--try` on one utterance each of the corpus's training
speakers (`snakemake data/corpus/manifest.csv` lists them): as recorded (clean), reverberant (room),
and with another speaker 10 dB lower and the scene's noise in it (rest), which is about what a
separation leaves. Synthetic sentences have their grammar, real speech has PocketSphinx's own
language model. A copy of LibriSpeech without transcripts takes them from a file of `--transcripts`.
"""

import argparse
import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ssml.config import layout
from ssml.config.params import Params, load
from ssml.data import corpora, rooms, scenes
from ssml.data.corpora import Utterance
from ssml.data.corpora.grammar import jsgf
from ssml.evaluation import asr
from ssml.evaluation.asr import Recogniser
from ssml.evaluation.statistics import rate_interval, reduction_interval
from ssml.files.progress import progress

from .measure import show

REST = 10.0  # dB, of the speaker above what is left of the other
CONDITIONS = ("clean", "room", "rest")
AS_IS = "as it is"


def spoken(params: Params, transcripts: Path | None, most: int) -> list[Utterance]:
    """One utterance with words of each of `most` training speakers."""
    texts: dict[str, str] = {}
    for line in transcripts.read_text().splitlines() if transcripts else []:
        name, _, text = line.partition(" ")
        texts[name] = text
    found: dict[str, Utterance] = {}
    for item in corpora.read_manifest(layout.MANIFEST):
        item = dataclasses.replace(item, text=item.text or texts.get(item.utterance, ""))
        if item.split == "train" and item.text:
            found.setdefault(item.speaker, item)
    names = sorted(found)[:most]
    if len(names) < 2:
        raise SystemExit(f"{layout.MANIFEST}: no training utterances with words; see --transcripts")
    return [found[name] for name in names]


def heard_in(params: Params, condition: str, chosen: Sequence[Utterance], index: int) -> np.ndarray:
    """What microphone 0 gets of utterance `index` under the condition, (samples,)."""
    pair = [chosen[index], chosen[(index + 1) % len(chosen)]]
    root = corpora.root(params.corpus, layout.CORPUS)
    dry = [corpora.load(item, root) for item in pair]
    if condition == "clean":
        return dry[0]
    name, length = params.train.train, len(dry[0])
    every = corpora.read_manifest(layout.MANIFEST)
    scene = dataclasses.replace(
        scenes.draw(name, index, params.scenes, params.seed, every, params.fs),
        n_samples=length,
        utterances=tuple(item.utterance for item in pair),
        cuts=((0, length), (0, length)),
        levels=(0.0, -REST),
    )
    both = np.stack([np.resize(signal, length) for signal in dry])  # the other goes on
    mixture = rooms.simulate(scene, both, params.mix, params.seed, params.fs)
    return mixture.reverberant[0] if condition == "room" else mixture.mix[0]


def measured(
    recognisers: Mapping[str, Recogniser],
    audio: Sequence[np.ndarray],
    texts: Sequence[str],
    fs: int,
) -> dict[str, tuple[dict[str, tuple[int, int]], float]]:
    """Of each recogniser: word errors and words of each signal, and s of computing a s of audio.

    All hear a signal before the next one, so that what else the machine does falls on all.
    """
    counts: dict[str, dict[str, tuple[int, int]]] = {name: {} for name in recognisers}
    seconds = dict.fromkeys(recognisers, 0.0)
    signals = list(zip(audio, texts, strict=True))
    for index, (signal, said) in enumerate(progress(signals, "recogniser", "signals")):
        for name, recogniser in recognisers.items():
            start = time.process_time()
            heard = recogniser(signal, fs)
            seconds[name] += time.process_time() - start
            found = asr.word_errors(heard, said)
            counts[name][str(index)] = found.errors, found.words
    length = sum(map(len, audio)) / fs
    return {name: (counts[name], seconds[name] / length) for name in recognisers}


def row(counts: Any, default: Any, cost: float) -> dict[str, float]:
    """WER in % and its interval, errors fewer than the default's in %, s a s of audio."""
    found = rate_interval([counts])
    fewer = reduction_interval([counts], [default])
    wer, gain = found.scaled(100), fewer.scaled(100)
    names = ("WER %", "from", "to", "fewer %", "least", "most", "seconds")
    return dict(zip(names, (*wer[:3], *gain[:3], cost), strict=True))


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--try", dest="tried", action="append", default=[], metavar="KEY=VALUE,...")
    parser.add_argument("--only", nargs="+", choices=CONDITIONS, default=CONDITIONS)
    parser.add_argument("--speakers", type=int, default=26)
    parser.add_argument("--transcripts", type=Path, help="lines of an utterance's id and its words")
    return parser.parse_args()


def parsed(text: str) -> dict[str, Any]:
    """`lw=8,remove_noise=true` as settings."""
    pairs = [part.partition("=") for part in text.split(",")]
    return {key: yaml.safe_load(value) for key, _, value in pairs}


def main() -> None:
    asked, params = options(), load(Path("params.yaml"))
    chosen = spoken(params, asked.transcripts, asked.speakers)
    texts = [utterance.text for utterance in chosen]
    grammar = jsgf() if params.corpus.source == "synthetic" else None
    recognisers = {AS_IS: asr.ASR["pocketsphinx"](grammar)}
    for text in asked.tried:
        recognisers[text] = asr.ASR["pocketsphinx"](grammar, **parsed(text))
    tables: dict[str, dict[str, dict[str, float]]] = {}
    for condition in asked.only:
        audio = [heard_in(params, condition, chosen, i) for i in range(len(chosen))]
        found = measured(recognisers, audio, texts, params.fs)
        words = sum(words for _, words in found[AS_IS][0].values())
        tables[f"{condition}: {len(chosen)} speakers, {words} words"] = {
            name: row(counts, found[AS_IS][0], cost) for name, (counts, cost) in found.items()
        }
    show("PocketSphinx's settings", tables, asked.json)


if __name__ == "__main__":
    main()
