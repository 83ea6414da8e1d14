"""Words compared: one normalisation for both sides, errors, alignment, assignment, loops."""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np

REPEATS = 4  # of the same words in a row: a loop. Said three times in a row, words may be meant
LOOP = re.compile(rf"(?:^| )(\S+(?: \S+)*?)(?: \1){{{REPEATS - 1}}}(?: |$)")


class WordErrors(NamedTuple):
    """Counts of words: reference words are hits + substitutions + deletions."""

    hits: int
    substitutions: int
    deletions: int
    insertions: int

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def words(self) -> int:
        """Of the reference."""
        return self.hits + self.substitutions + self.deletions

    @property
    def capped(self) -> int:
        """Errors, at most as many as the reference has words.

        How long a recogniser's loop is depends on its limit of words, not on the separation. With
        the cap no text counts worse than one without words.
        """
        return min(self.errors, self.words)

    @property
    def without_insertions(self) -> int:
        return self.substitutions + self.deletions


class Step(NamedTuple):
    """One word of an alignment: the word said and the word recognised; either may be ''."""

    kind: Literal["equal", "substitute", "delete", "insert"]
    ref: str
    hyp: str


@cache
def _normaliser() -> Any:
    # the English rules that Whisper was evaluated with: numbers, contractions, spellings, titles
    from whisper_normalizer.english import EnglishTextNormalizer

    return EnglishTextNormalizer()


def normal(text: str) -> str:
    """`text` as it is compared: lower case, `seven` as 7, `don't` as do not, no punctuation."""
    words = _normaliser()(text.replace("\u2019", "'").replace("_", " ")).split()
    words = (word.strip("'") for word in words)
    return " ".join(word for word in words if any(map(str.isalnum, word)))


def has_loop(text: str) -> bool:
    """Whether one or more words follow themselves until they were there `REPEATS` times."""
    return LOOP.search(normal(text)) is not None


def word_errors(hyp: str, ref: str) -> WordErrors:
    """Errors of the words `hyp` against `ref`, both normalised the same way first."""
    import jiwer

    hyp, ref = normal(hyp), normal(ref)
    if not ref:  # jiwer refuses it
        return WordErrors(0, 0, 0, len(hyp.split()))
    found = jiwer.process_words(ref, hyp)
    return WordErrors(found.hits, found.substitutions, found.deletions, found.insertions)


def align(hyp: str, ref: str) -> list[Step]:
    """The least edits that turn `ref` into `hyp`, word by word, both normalised."""
    import jiwer

    said, heard = normal(ref).split(), normal(hyp).split()
    if not said:
        return [Step("insert", "", word) for word in heard]
    steps = []
    for chunk in jiwer.process_words(" ".join(said), " ".join(heard)).alignments[0]:
        left = said[chunk.ref_start_idx : chunk.ref_end_idx] or [""] * len(heard)
        right = heard[chunk.hyp_start_idx : chunk.hyp_end_idx] or [""] * len(left)
        kind: Any = chunk.type
        steps += [Step(kind, a, b) for a, b in zip(left, right, strict=False)]
    return steps


def fewest_errors(hyps: Sequence[str], refs: Sequence[str]) -> tuple[list[int], list[WordErrors]]:
    """The assignment with the fewest errors: for each of `refs` its index in `hyps`, and errors.

    Pooled by `wer`, they are the cpWER (concatenated minimum-permutation word error rate, Watanabe
    et al. 2020), each speaker having one utterance. The package `meeteval`, which has no wheels,
    gives the same counts.
    """
    from scipy.optimize import linear_sum_assignment

    pairs = [[word_errors(hyp, ref) for hyp in hyps] for ref in refs]
    cost = np.array([[pair.errors for pair in row] for row in pairs])
    # among assignments of equal cost, the signal metric's is preferred
    cost = cost - 1e-3 * np.eye(len(cost))
    chosen = [int(k) for k in linear_sum_assignment(cost)[1]]
    return chosen, [pairs[row][column] for row, column in enumerate(chosen)]


def wer(errors: Iterable[WordErrors]) -> float:
    """Word error rate (1 = 100 %) pooled over utterances; NaN where the references hold no word."""
    hits, substitutions, deletions, insertions = np.sum([(0, 0, 0, 0), *errors], axis=0)
    words = hits + substitutions + deletions
    return float((substitutions + deletions + insertions) / words) if words else float("nan")
