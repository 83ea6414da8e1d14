"""Transcribe a method's outputs on one test set: -> results/transcripts/METHOD/SET.csv.

What is heard is kept in checkpoints/heard/ as it comes: an interrupted transcription goes on.
"""

from typing import Any

from pipeline.arguments import parse, run
from ssml.config import layout
from ssml.data.corpora.grammar import jsgf
from ssml.evaluation import asr
from ssml.evaluation.asr.cached import CachedRecogniser
from ssml.evaluation.outcomes import Outcome, outcomes
from ssml.files.errors import UserError
from ssml.files.io import write_table
from ssml.files.progress import progress
from ssml.files.provenance import code, digest

COUNTS = asr.WordErrors._fields
COLUMNS = (
    *("id", "source", "reference", "hypothesis", *COUNTS),
    *("nothing", "loop"),  # 1: no word was recognised; some words were repeated in a loop
    *("assigned", *(f"assigned_{name}" for name in COUNTS)),  # with the fewest word errors
    "weights",  # digest of the recogniser's folder, where it has one
)


def main() -> None:
    params, arguments = parse(__doc__, "method", "set")
    section = params.transcribe
    # known sentences have a grammar; LibriSpeech needs the recogniser's own language model
    known = jsgf() if params.corpus.source == "synthetic" else None
    recogniser = asr.ASR[section.recogniser](grammar=known, **section.options)
    source = code(type(recogniser).__module__)
    weights = asr.weights(section.options)
    key = digest([section.recogniser, section.options, known, source, weights])
    hear = CachedRecogniser(
        recogniser, layout.transcription_cache(arguments.method, arguments.set), key
    )
    found = list(outcomes(params, arguments.method, arguments.set, section.mixtures))
    for outcome in found:
        check(outcome)
    title, rows = f"transcribe {arguments.method} {arguments.set}", []
    size = max(1, recogniser.batch // params.scenes.sets[arguments.set].speakers)
    groups = [found[i : i + size] for i in range(0, len(found), size)]
    for group in progress(groups, title, "batches"):
        texts = iter(hear.many([audio for outcome in group for audio in outcome.est], params.fs))
        for outcome in group:
            found_words = compare(outcome, [next(texts) for _ in outcome.est])
            rows += [row | {"weights": weights} for row in found_words]
    write_table(layout.transcripts(arguments.method, arguments.set), rows, COLUMNS)


def check(outcome: Outcome) -> None:
    """A `UserError` where an utterance of the mixture has no transcript."""
    info = outcome.info
    for name, text in zip(info["utterances"], info["transcripts"], strict=True):
        if not text:
            raise UserError(f"{name}: has no transcript; add it, or set transcribe.mixtures: 0")


def compare(outcome: Outcome, hyps: list[str]) -> list[dict[str, Any]]:
    """The rows of a mixture: its estimates in the signal metric's order, and in the words' own."""
    refs = outcome.info["transcripts"]
    chosen, fewest = asr.fewest_errors(hyps, refs)
    return [
        {"id": outcome.info["id"], "source": k, "reference": refs[k], "hypothesis": hyps[k]}
        | asr.word_errors(hyps[k], refs[k])._asdict()
        | {"nothing": int(not asr.normal(hyps[k])), "loop": int(asr.has_loop(hyps[k]))}
        | {"assigned": chosen[k]}
        | {f"assigned_{name}": value for name, value in fewest[k]._asdict().items()}
        for k in range(len(refs))
    ]


if __name__ == "__main__":
    run(main)
