"""Recognition is of the audio alone; word errors are what one counts by hand."""

import functools
import itertools
import math
import subprocess
import sys

import numpy as np
import pytest

from ssml.evaluation import asr
from ssml.evaluation.asr.cached import CachedRecogniser
from ssml.files import provenance
from ssml.files.errors import UserError

GRAMMAR = """#JSGF V1.0;
grammar test;  // a comment; with a semicolon
<verb> = /2/ bring {tag} | /1/ find | hide;
<colour> = red | green | yellow;
<thing> = boxes | candles | flowers;
public <sentence> = (<verb> [the] <colour> <thing>)+;
"""
SENTENCES = ("bring the yellow candles", "find green flowers hide the red boxes")

# runs in a process of its own: the library has global state
SPEAK = """
import ctypes, sys, espeakng_loader as loader
library = ctypes.CDLL(loader.get_library_path())
rate = library.espeak_Initialize(2, 0, str(loader.get_data_path()).encode(), 0)
@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
def write(samples, count, events):
    if samples and count > 0:
        sys.stdout.buffer.write(ctypes.string_at(samples, 2 * count))
    return 0
library.espeak_SetSynthCallback(write)
library.espeak_SetVoiceByName(b"en-us+klatt2")
text = sys.argv[1].encode()
library.espeak_Synth(text, len(text) + 1, 0, 0, 0, 1, None, None)
library.espeak_Synchronize()
"""


@functools.cache
def speech(text):
    """`text` spoken, (samples,) at 16 kHz within [-1, 1]."""
    from scipy.signal import resample_poly

    pytest.importorskip("espeakng_loader")
    done = subprocess.run([sys.executable, "-c", SPEAK, text], capture_output=True, check=True)
    return resample_poly(np.frombuffer(done.stdout, "<i2") / 32768, 320, 441)


@functools.cache
def constrained():
    return asr.ASR["pocketsphinx"](GRAMMAR)


@functools.cache
def free():
    return asr.ASR["pocketsphinx"]()


def test_import_is_light():
    heavy = {
        "faster_whisper",
        "jiwer",
        "pocketsphinx",
        "torch",
        "transformers",
        "whisper_normalizer",
    }
    code = f"import sys, ssml.evaluation.asr; sys.exit(bool({heavy} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], cwd=provenance.ROOT).returncode == 0


def test_a_grammar_is_recognised():
    for text in SENTENCES:
        assert constrained()(speech(text), 16000) == text.upper()


def test_a_sentence_that_breaks_off_is_recognised_as_far_as_it_goes():
    """`bring the yellow` reaches no final state of the grammar."""
    whole, audio = SENTENCES[0].upper(), speech("bring the yellow")
    found = constrained()(audio, 16000)
    assert found == whole.rpartition(" ")[0]
    assert constrained()(speech(SENTENCES[0]), 16000) == whole  # nothing is left of it


@pytest.mark.parametrize("make", [constrained, free])
def test_transcripts_do_not_depend_on_what_came_before(make):
    """Noise and other words in between change nothing."""
    audio = speech(SENTENCES[0])
    noise = 0.3 * provenance.generator(0).standard_normal(8000)
    before = make()(audio, 16000)
    assert before
    for other in (noise, audio[:10000] * 0.01):
        make()(other, 16000)
        assert make()(audio, 16000) == before


@pytest.mark.parametrize("gain", [1e-4, 0.1, 30])
def test_level_does_not_matter(gain):
    audio = speech(SENTENCES[0])
    assert constrained()(gain * audio, 16000) == SENTENCES[0].upper()
    assert constrained()((gain * audio).astype(np.float32), 16000) == SENTENCES[0].upper()


@pytest.mark.parametrize("make", [constrained, free])
def test_what_holds_no_speech_is_an_empty_transcript(make):
    broken = speech(SENTENCES[0]).copy()
    broken[100] = np.nan
    for audio in (np.zeros(16000), np.zeros(0), np.ones(5), np.full(16000, np.inf), broken):
        assert make()(audio, 16000) == ""


@pytest.mark.parametrize("make", [constrained, free])
def test_odd_audio_does_not_crash(make):
    click = np.zeros(16000)
    click[8000] = 1
    for audio in (click, np.ones(16000), speech(SENTENCES[0])[:1700]):
        assert isinstance(make()(audio, 16000), str)


@pytest.mark.parametrize(
    ("options", "grammar", "message"),
    [
        ({"beem": 1e-40}, None, "transcribe.options.beem"),
        ({"beam": "narrow"}, None, "transcribe.options.beam"),
        ({"hmm": "/nowhere"}, None, "transcribe.options"),
        ({}, "#JSGF V1.0; grammar g; public <a> = red xyzzyx;", "xyzzyx"),
        ({}, "#JSGF V1.0; grammar g; public <a> = (red | green;", "JSGF"),
        ({}, "#JSGF V1.0; grammar g; public <a> = red <b>;", "<b>"),
        ({}, "public <a> = red;", "JSGF"),
    ],
)
def test_mistakes_are_named_in_one_line(options, grammar, message):
    with pytest.raises(UserError, match=message) as caught:
        asr.ASR["pocketsphinx"](grammar, **options)
    assert "\n" not in str(caught.value)


def test_another_rate_is_refused():
    with pytest.raises(UserError, match="16000 Hz"):
        constrained()(np.zeros(8000), 8000)


def test_every_recogniser_has_a_name():
    assert all(callable(make) and name == name.lower() for name, make in asr.ASR.items())


@pytest.mark.parametrize(
    ("hyp", "ref", "expected"),
    [
        ("the cat sat", "THE CAT SAT", (3, 0, 0, 0)),
        ("the cat, sat.", "The  cat sat!", (3, 0, 0, 0)),
        ("don\u2019t 'stop'", "DO NOT STOP", (3, 0, 0, 0)),
        ("7 grey cats, Mr. Hall", "SEVEN GRAY CATS MISTER HALL", (5, 0, 0, 0)),
        ("a dog sat down", "the cat sat", (1, 2, 0, 1)),
        ("", "the cat sat", (0, 0, 3, 0)),
        ("...", "the cat", (0, 0, 2, 0)),
        ("the cat", "", (0, 0, 0, 2)),
        ("", "", (0, 0, 0, 0)),
        ("well known", "well-known", (2, 0, 0, 0)),
    ],
)
def test_word_errors_by_hand(hyp, ref, expected):
    assert asr.word_errors(hyp, ref) == expected


def test_word_errors_are_the_edit_distance():
    """Against the textbook recursion, for all short texts of two words."""

    @functools.cache
    def distance(a, b):
        if not a or not b:
            return len(a) + len(b)
        change = distance(a[1:], b[1:]) + (a[0] != b[0])
        return min(change, distance(a[1:], b) + 1, distance(a, b[1:]) + 1)

    texts = [t for n in range(4) for t in itertools.product(("red", "blue"), repeat=n)]
    for hyp, ref in itertools.product(texts, repeat=2):
        errors = asr.word_errors(" ".join(hyp), " ".join(ref))
        assert errors.hits + errors.substitutions + errors.deletions == len(ref)
        assert errors.hits + errors.substitutions + errors.insertions == len(hyp)
        assert sum(errors[1:]) == distance(hyp, ref)


def test_wer_is_pooled_over_words():
    one, ten = asr.WordErrors(0, 1, 0, 0), asr.WordErrors(9, 0, 1, 1)
    assert asr.wer([one, ten]) == pytest.approx(3 / 11)
    assert asr.wer(iter([ten])) == pytest.approx(0.2)
    assert math.isnan(asr.wer([])) and math.isnan(asr.wer([asr.WordErrors(0, 0, 0, 2)]))


class Spy(asr.Recogniser):
    """Hears the number of samples, and remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def many(self, audio, fs):
        self.asked += [len(signal) for signal in audio]
        return [f"{len(signal)} samples" for signal in audio]


def test_what_was_heard_is_not_asked_again_even_by_another_process(tmp_path):
    path, signals = tmp_path / "deep/heard.jsonl", [np.zeros(n) for n in (3, 5, 3)]
    first = CachedRecogniser(Spy(), path, "key")
    assert first.many(signals, 16000) == ["3 samples", "5 samples", "3 samples"]
    assert first.recogniser.asked == [3, 5]
    path.write_text(path.read_text()[:-9])  # interrupted within the second line
    second = CachedRecogniser(Spy(), path, "key")
    assert second.many(signals, 16000) == ["3 samples", "5 samples", "3 samples"]
    assert second.recogniser.asked == [5]


def test_what_cannot_be_kept_is_heard_all_the_same(tmp_path):
    """On a full disk, say: the answers are there, only the next run asks again."""
    (tmp_path / "file").touch()
    heard = CachedRecogniser(Spy(), tmp_path / "file/heard.jsonl", "key")
    assert heard.many([np.zeros(3)], 16000) == ["3 samples"]


@pytest.mark.parametrize(
    "key, fs, change", [("other", 16000, 0), ("key", 8000, 0), ("key", 16000, 1e-9)]
)
def test_other_settings_rates_and_samples_are_heard_anew(tmp_path, key, fs, change):
    path = tmp_path / "heard.jsonl"
    CachedRecogniser(Spy(), path, "key").many([np.zeros(7)], 16000)
    again = CachedRecogniser(Spy(), path, key)
    again.many([np.zeros(7) + change], fs)
    assert again.recogniser.asked == [7]


def test_an_alignment_spells_out_the_errors():
    said, heard = "the red cat sat down", "a the red dog sat"
    steps = asr.align(heard, said)
    kinds = [step.kind for step in steps]
    found = asr.word_errors(heard, said)
    assert found == tuple(map(kinds.count, ("equal", "substitute", "delete", "insert")))
    assert " ".join(step.ref for step in steps if step.ref) == said
    assert " ".join(step.hyp for step in steps if step.hyp) == heard
    assert asr.align("red", "") == [("insert", "", "red")] and asr.align("", "") == []
    assert asr.align("", "red cat") == [("delete", "red", ""), ("delete", "cat", "")]


def test_the_assignment_with_the_fewest_errors():
    refs = ["red cat", "green dog ran", "blue"]
    chosen, errors = asr.fewest_errors(["green dog", "blue", "red cat"], refs)
    assert chosen == [2, 0, 1]
    assert [pair.errors for pair in errors] == [0, 1, 0]


def test_an_assignment_that_gains_nothing_is_left_alone():
    assert asr.fewest_errors(["", "", ""], ["a b", "c", "d"])[0] == [0, 1, 2]
