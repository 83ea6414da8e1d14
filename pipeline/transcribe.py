"""Transcribe a method's outputs on one test set: -> results/transcripts/METHOD/SET.csv."""

import numpy as np

from pipeline.arguments import parse
from ssml import asr, layout
from ssml.corpora.grammar import jsgf
from ssml.errors import UserError, run
from ssml.evaluation import outcomes
from ssml.io import write_table
from ssml.progress import progress

COLUMNS = ("id", "source", "reference", "hypothesis", *asr.WordErrors._fields)


def main() -> None:
    params, arguments = parse(__doc__, "method", "set")
    section = params.transcribe
    # known sentences have a grammar; LibriSpeech needs the recogniser's own language model
    known = jsgf() if params.corpus.source == "synthetic" else None
    transcribe = asr.ASR[section.recogniser](grammar=known, **section.options)
    heard: dict[bytes, str] = {}  # the mixture is the same audio for every source

    def hear(audio: np.ndarray) -> str:
        key = audio.tobytes()
        if key not in heard:
            heard[key] = transcribe(audio, params.fs)
        return heard[key]

    rows = []
    title = f"transcribe {arguments.method} {arguments.set}"
    found = list(outcomes(params, arguments.method, arguments.set, section.mixtures))
    for outcome in progress(found, title, "mixtures"):
        heard.clear()
        for source, reference in enumerate(outcome.info["transcripts"]):
            if not reference:
                name = outcome.info["utterances"][source]
                raise UserError(f"{name}: has no transcript; add it, or set transcribe.mixtures: 0")
            hypothesis = hear(outcome.est[source])
            row = {"id": outcome.info["id"], "source": source}
            row |= {"reference": reference, "hypothesis": hypothesis}
            rows.append(row | asr.word_errors(hypothesis, reference)._asdict())
    write_table(layout.transcripts(arguments.method, arguments.set), rows, COLUMNS)


if __name__ == "__main__":
    run(main)
