"""What was said and what was heard, and its errors counted in each of the ways that are shown."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from ssml.evaluation.asr.words import WordErrors
from ssml.evaluation.statistics import Counts

RULE = "Capped WER: the errors of an output count up to the number of words of its reference."


class Text(NamedTuple):
    """What one source said and what was heard, and the errors between them."""

    source: int
    ref: str
    hyp: str
    errors: WordErrors
    fewest: WordErrors  # against the estimate with the fewest errors, see `words.fewest_errors`
    nothing: bool  # no word was recognised
    loop: bool  # see `words.has_loop`


class Heard(NamedTuple):
    """How many outputs were given to the recogniser, and of how many it heard what."""

    outputs: int
    nothing: int
    loops: int


def total(counts: Iterable[Heard | None]) -> Heard | None:
    """All outputs together; None where none were heard."""
    found = [count for count in counts if count]
    return Heard(*map(sum, zip(*found, strict=True))) if found else None


def in_words(counts: Iterable[Heard | None]) -> str:
    """In how many of all outputs nothing or a loop was recognised; '' where none were heard."""
    if not (found := total(counts)):
        return ""
    outputs, nothing, loops = found
    return f"Nothing was recognised in {nothing} of {outputs} outputs, a loop in {loops}."


# word error rate -> the errors that it counts; the first is what is shown and compared
RATES: dict[str, Callable[[Text], int]] = {
    "wer_capped": lambda text: text.errors.capped,
    "wer": lambda text: text.errors.errors,
    "wer_without_insertions": lambda text: text.errors.without_insertions,
    "cpwer": lambda text: text.fewest.errors,
}


class Transcripts(NamedTuple):
    """The texts of one method on one set, by mixture."""

    texts: dict[str, list[Text]]

    @property
    def total(self) -> WordErrors:
        """Hits, substitutions, deletions and insertions over all mixtures."""
        columns = zip(*(text.errors for text in self.every), strict=True)
        return WordErrors(*map(sum, columns))

    @property
    def heard(self) -> Heard:
        every = self.every
        return Heard(len(every), sum(t.nothing for t in every), sum(t.loop for t in every))

    @property
    def every(self) -> list[Text]:
        return [text for texts in self.texts.values() for text in texts]

    def counts(self, rate: str) -> Counts:
        """Errors and words of each mixture.

        Estimates are compared with the source that they are nearest to as signals, but for the
        cpWER, which assigns them so that the errors are fewest.
        """
        return {
            id: (sum(map(RATES[rate], texts)), sum(text.errors.words for text in texts))
            for id, texts in self.texts.items()
        }
