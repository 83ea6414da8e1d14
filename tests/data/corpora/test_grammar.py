"""The sentences: enough, varied, known to the recogniser, and of one split each."""

from pathlib import Path

import numpy as np
import pytest

from ssml.data.corpora import grammar


def drawn(count: int) -> list[str]:
    random = np.random.default_rng(0)
    return [grammar.sentence(random) for _ in range(count)]


def dictionary() -> dict[str, list[str]]:
    pocketsphinx = pytest.importorskip("pocketsphinx")
    path = Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict"))
    return {word: phones for word, *phones in map(str.split, path.read_text().splitlines())}


def test_size_counts_every_sentence(monkeypatch):
    assert grammar.size() > 1e5
    monkeypatch.setattr(grammar, "CLASSES", {"a": "x|y", "b": "u v|w"})
    monkeypatch.setattr(grammar, "PATTERNS", (("a", "b"), ("b", "a")))
    assert grammar.size() == 8
    assert len(set(drawn(300))) == 8


def test_words_are_in_the_dictionary_and_hold_all_phones():
    known = dictionary()
    assert grammar.words() <= known.keys()
    phones = {phone for word in grammar.words() for phone in known[word]}
    assert phones == {phone for word in known.values() for phone in word}


def test_split_is_a_function_of_the_sentence_with_the_stated_shares():
    splits = [grammar.split(text) for text in drawn(4000)]
    assert splits == [grammar.split(text) for text in drawn(4000)]
    for name, share in grammar.SHARES.items():
        assert splits.count(name) / len(splits) == pytest.approx(share, abs=0.03)


def test_jsgf_is_accepted_and_names_every_word():
    pocketsphinx = pytest.importorskip("pocketsphinx")
    text = grammar.jsgf()
    assert text.startswith("#JSGF V1.0;")
    for name in grammar.CLASSES:
        assert f"<{name}> = {' | '.join(grammar.phrases(name))};" in text
    decoder = pocketsphinx.Decoder(lm=None, loglevel="FATAL")
    decoder.add_jsgf_string("ssml", text)
    decoder.activate_search("ssml")
