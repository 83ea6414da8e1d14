"""The recogniser is tuned on training speakers only."""

import numpy as np
import pytest

from benchmarks import recogniser as tuning
from ssml.config import layout
from ssml.config.params import load
from ssml.data import corpora
from ssml.data.corpora import Utterance
from ssml.evaluation import asr
from tests.conftest import ROOT


@pytest.fixture
def params(tmp_path, monkeypatch):
    """A folder whose manifest lists speakers of all splits, some utterances without words."""
    made = [
        Utterance(split, f"{split}{k}", "", f"{split}{k}-0-{n}", "x.flac", 9, "0" * 64, text)
        for split in ("train", "dev", "test")
        for k in range(4)
        for n, text in enumerate(("", f"WORDS OF {split}"))
    ]
    monkeypatch.chdir(tmp_path)
    corpora.write_manifest(layout.MANIFEST, made)
    return load(ROOT / "tests/params.yaml")


def test_one_utterance_with_words_of_each_training_speaker(params):
    chosen = tuning.spoken(params, None, 3)
    assert [item.speaker for item in chosen] == ["train0", "train1", "train2"]
    assert {item.text for item in chosen} == {"WORDS OF train"}


def test_words_may_come_from_a_file_but_never_for_a_test_speaker(params, tmp_path):
    (tmp_path / "words.txt").write_text("# a remark\ntrain1-0-0 OTHER WORDS\ntest0-0-0 NO\n")
    chosen = {u.speaker: u.text for u in tuning.spoken(params, tmp_path / "words.txt", 9)}
    assert len(chosen) == 4 and chosen["train1"] == "OTHER WORDS" and "NO" not in chosen.values()


def test_settings_are_read_as_yaml():
    found = tuning.parsed("lw=8,remove_noise=true,cmn=live")
    assert found == {"lw": 8, "remove_noise": True, "cmn": "live"}


def test_a_row_says_how_many_errors_fewer():
    default, better = {"0": (4, 10), "1": (6, 10)}, {"0": (2, 10), "1": (3, 10)}
    found = tuning.row(better, default, 0.2)
    assert found["WER %"] == pytest.approx(25) and found["fewer %"] == pytest.approx(50)
    assert found["least"] == pytest.approx(50) and found["seconds"] == 0.2


def test_every_signal_is_heard_by_all():
    class Deaf(asr.Recogniser):
        def many(self, audio, fs):
            return ["ONE" for _ in audio]

    audio = [np.zeros(8000), np.zeros(16000)]
    found = tuning.measured({"a": Deaf(), "b": Deaf()}, audio, ["ONE", "RED CAT"], 16000)
    assert found["a"][0] == found["b"][0] == {"0": (0, 1), "1": (2, 2)}
