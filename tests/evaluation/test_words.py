"""Loops, the cap, and the cpWER, against what one counts by hand or by trying everything."""

import itertools
import random

import pytest

from ssml.evaluation import asr
from ssml.evaluation.asr.words import REPEATS

SAID = "the red cat sat"


@pytest.mark.parametrize(
    ("hyp", "ref", "as_recognised", "without_insertions", "capped"),
    [
        (SAID, SAID, 0, 0, 0),
        ("", SAID, 4, 4, 4),
        ("...", SAID, 4, 4, 4),
        (SAID + " thank you" * 50, SAID, 100, 0, 4),
        ("thank you " * 50, SAID, 100, 4, 4),
        (SAID + " down", SAID, 1, 0, 1),
        ("a dog sat down", "the cat sat", 3, 2, 3),
        ("a blue dog ran off there", SAID, 6, 4, 4),
        ("red cat", "", 2, 0, 0),
        ("", "", 0, 0, 0),
    ],
)
def test_errors_as_recognised_without_insertions_and_capped(
    hyp, ref, as_recognised, without_insertions, capped
):
    found = asr.word_errors(hyp, ref)
    assert (found.errors, found.without_insertions, found.capped) == (
        as_recognised,
        without_insertions,
        capped,
    )


@pytest.mark.parametrize(
    ("text", "loop"),
    [
        ("", False),
        (SAID, False),
        ("no no no", False),
        ("no no no no", True),
        ("Thank you. Thank you, thank you! THANK YOU", True),
        ("he said thank you thank you thank you", False),
        ("he said i am not i am not i am not i am not going", True),
        ("red cat red dog red cat red dog", False),
        ("banana nana nana nana", False),
        ("nana nana nana nanas", False),
        (SAID + " thank you" * 110, True),
    ],
)
def test_a_loop_is_the_same_words_four_times_in_a_row(text, loop):
    assert asr.has_loop(text) == loop


def test_loops_of_all_short_texts():
    """Against the definition: some words, and right after them the same words three times more."""
    texts = [t for n in range(10) for t in itertools.product(("red", "blue"), repeat=n)]
    for words in texts:
        expected = any(
            words[start : start + REPEATS * size] == words[start : start + size] * REPEATS
            for size in range(1, len(words) // REPEATS + 1)
            for start in range(len(words) - REPEATS * size + 1)
        )
        assert asr.has_loop(" ".join(words)) == expected


def texts(seed: int, K: int) -> list[str]:
    """K texts of 0 to 6 words of few."""
    draw = random.Random(seed)
    return [" ".join(draw.choices(("red", "blue", "cat"), k=draw.randint(0, 6))) for _ in range(K)]


@pytest.mark.parametrize("K", [2, 3, 4])
def test_the_fewest_errors_are_those_of_the_best_permutation(K):
    for seed in range(30):
        refs, hyps = texts(seed, K), texts(1000 + seed, K)
        least = min(
            sum(asr.word_errors(hyp, ref).errors for hyp, ref in zip(order, refs, strict=True))
            for order in itertools.permutations(hyps)
        )
        chosen, found = asr.fewest_errors(hyps, refs)
        assert sorted(chosen) == list(range(K))
        assert found == [asr.word_errors(hyps[k], ref) for k, ref in zip(chosen, refs, strict=True)]
        assert sum(pair.errors for pair in found) == least


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_outputs_in_any_order_have_no_errors(order):
    refs = ["the red cat", "a green dog ran", "it was blue"]
    chosen, found = asr.fewest_errors([refs[k] for k in order], refs)
    assert [order[k] for k in chosen] == [0, 1, 2] and asr.wer(found) == 0


@pytest.mark.parametrize("K", [2, 3, 4])
def test_meeteval_finds_the_same_cpwer(K):
    meeteval = pytest.importorskip("meeteval.wer", reason="needs pip install '.[meeteval]'")
    for seed in range(30):
        refs, hyps = texts(seed, K), texts(1000 + seed, K)
        found = asr.fewest_errors(hyps, refs)[1]
        expected = meeteval.cp_word_error_rate(refs, hyps)
        assert sum(pair.errors for pair in found) == expected.errors
        assert asr.wer(found) == pytest.approx(expected.error_rate)
