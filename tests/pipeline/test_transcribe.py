"""The stage's table, of a recogniser that says what the test tells it."""

import numpy as np
import pytest
import yaml

from pipeline import transcribe
from ssml.config import layout
from ssml.evaluation import asr
from ssml.evaluation.outcomes import Outcome
from ssml.files.errors import UserError
from ssml.files.io import read_table
from tests.conftest import ROOT

SAID = ["the red cat sat", "a green dog ran"]


class Parrot(asr.Recogniser):
    """Hears the text whose place in `texts` is the first sample."""

    texts: tuple[str, ...] = ()

    def many(self, audio, fs):
        return [self.texts[int(signal[0])] for signal in audio]


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """A function from what is recognised of the outputs and what was said, to the table's rows."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["transcribe", "laplace-iss", "test2"])
    monkeypatch.setattr(transcribe, "code", lambda module: "")  # a test is no part of the package
    monkeypatch.setitem(asr.ASR, "pocketsphinx", lambda grammar, **options: Parrot())

    def run(*texts: str, said: list[str] = SAID) -> list[dict[str, str]]:
        monkeypatch.setattr(Parrot, "texts", texts)
        est = np.arange(len(texts), dtype=float)[:, None].repeat(9, axis=1)
        info = {"id": "m-0", "utterances": ["u", "v"], "transcripts": said}
        outcome = Outcome(info, est, est, est, {}, False)
        monkeypatch.setattr(transcribe, "outcomes", lambda *_: [outcome])
        transcribe.main()
        return read_table(layout.transcripts("laplace-iss", "test2"))

    return run


def counts(row: dict[str, str], prefix: str = "") -> tuple[int, ...]:
    return tuple(int(row[prefix + name]) for name in transcribe.COUNTS)


def test_loops_and_what_was_not_recognised_are_marked(stage):
    first, second = stage("", SAID[1] + " thank you" * 4)
    assert (first["nothing"], first["loop"], counts(first)) == ("1", "0", (0, 0, 4, 0))
    assert (second["nothing"], second["loop"], counts(second)) == ("0", "1", (4, 0, 0, 8))
    assert (first["hypothesis"], second["reference"]) == ("", SAID[1])


def test_outputs_of_the_other_speaker_have_no_errors_in_their_best_order(stage):
    rows = stage(*SAID[::-1])
    assert [row["assigned"] for row in rows] == ["1", "0"]
    assert [counts(row, "assigned_") for row in rows] == [(4, 0, 0, 0)] * 2
    assert all(counts(row)[1] > 0 and row["nothing"] == row["loop"] == "0" for row in rows)


def test_an_utterance_without_words_is_named(stage):
    with pytest.raises(UserError, match="v: has no transcript"):
        stage("red", "cat", said=["the red cat sat", ""])
