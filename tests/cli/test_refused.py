"""What the command refuses, and that nothing is left half-done."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssml.cli.main import main
from ssml.separation import recordings
from tests.cli.shell import QUICK, listed, read, record, refused, run
from tests.conftest import tiny_model


def test_export_refuses_what_cannot_be(capsys):
    assert "no 'none' among" in refused(capsys, "export", "none", "out.onnx")
    Path("there.onnx").write_bytes(b"mine")
    assert "--force" in refused(capsys, "export", "none", "there.onnx")
    tiny_model("models/mine.safetensors")
    assert "out.bin: name a file" in refused(capsys, "export", "mine", "out.bin")
    assert "nmf: only trained models" in refused(capsys, "export", "nmf", "out.onnx")
    assert "0 iterations" in refused(capsys, "export", "mine", "out.pt2", "--iterations", 0)


def test_params_says_what_to_install_where_only_separation_is(capsys, monkeypatch):
    for name in ("ssml.config.params", "ssml.config.sections", "ssml.config.explain"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "yaml", None)
    for words in (("check", "some.yaml"), ("explain",), ("diff", "some.yaml")):
        message = refused(capsys, "params", *words)
        assert "params: yaml is not installed; pip install '.[pipeline]'" in message


def test_outputs_are_replaced_only_with_force(capsys):
    record("talk.wav")
    words = ["separate", "talk.wav", "out", *QUICK]
    assert run(capsys, *words)[0] == 0
    record("talk.wav", seed=1)
    before = read("out/talk-1.wav")
    assert "out/talk-1.wav exists already; --force" in refused(capsys, *words)
    np.testing.assert_array_equal(read("out/talk-1.wav"), before)
    assert run(capsys, *words, "--force")[0] == 0
    assert not np.array_equal(read("out/talk-1.wav"), before)


def test_no_recording_is_replaced(capsys):
    record("talk.wav")
    record("talk-1.wav")
    refused(capsys, "separate", "talk.wav", ".", *QUICK)
    code, _, err = run(capsys, "separate", "talk.wav", "talk-1.wav", ".", "--force", *QUICK)
    assert code == 1 and "talk-1.wav is itself a recording" in err
    assert soundfile.info("talk-1.wav").channels == 2


def test_a_bad_file_is_reported_and_the_others_are_done(capsys):
    record("a.wav")
    Path("b.wav").write_bytes(b"RIFF, but no more")
    record("c.wav")
    code, out, err = run(capsys, "separate", "a.wav", "b.wav", "c.wav", "out", *QUICK)
    assert code == 1 and out.count(" -> ") == 2
    assert err.count("\n") == 1 and err.startswith("error: b.wav: cannot be read as audio")
    assert listed("out") == ["a-1.wav", "a-2.wav", "c-1.wav", "c-2.wav"]


@pytest.mark.parametrize("place", [7, -7])
def test_samples_that_are_not_finite(capsys, place):
    mix = record("talk.wav", seconds=2.5)
    mix[1, place] = np.nan
    soundfile.write("talk.wav", mix.T, 16000, subtype="FLOAT")
    message = refused(capsys, "separate", "talk.wav", "out", "--block", 1, *QUICK)
    assert "talk.wav: holds samples that are not finite" in message


@pytest.mark.parametrize(
    "shape, message",
    [((1, 99), "1 channel"), ((33, 99), "33 channel"), ((2, 0), "holds no samples")],
)
def test_recordings_that_cannot_be_separated(capsys, shape, message):
    soundfile.write("talk.wav", np.zeros(shape).T, 16000)
    assert f"talk.wav: {message}" in refused(capsys, "separate", "talk.wav", "out", *QUICK)


@pytest.mark.parametrize(
    "words, message",
    [
        (["none.wav", "out"], "none.wav: no such file"),
        (["nothing.wav", "out"], "nothing.wav: is empty"),
        (["empty", "out"], "empty: no audio files in this folder"),
        (["*.mp3", "out"], "*.mp3: no file matches"),
        (
            ["talk.wav"],
            "Missing argument 'IN'. Usage: ssml separate [OPTIONS] {IN}... {OUT} (ssml separate",
        ),
        (["talk.wav", "talk.wav"], "talk.wav: is a file; the last path is the folder"),
        (["talk.wav", "talk.wav/out"], "talk.wav: talk.wav/out cannot be written"),
        (["talk.wav", "talk.flac", "out"], "talk.flac: their outputs would have the same names"),
        (["talk.wav", "out", "--model", "none"], "model: no 'none' among laplace"),
        (["talk.wav", "out", "--model", "no/m.safetensors"], "no/m.safetensors: no such model"),
        (["talk.wav", "out", "--rule", "newton"], "'newton' is not one of"),
        (["talk.wav", "out", "--iterations", "-1"], "--iterations: -1 is below 0"),
        (["talk.wav", "out", "--sources", "3"], "talk.wav: --sources: 3 sources need as many"),
        (["talk.wav", "out", "--mic", "0"], "--mic: 0 is below 1"),
        (["talk.wav", "out", "--mic", "3"], "talk.wav: --mic 3, but there are 2 channels"),
        (["talk.wav", "out", "--block", "0"], "--block: 0.0 s is not"),
        (["talk.wav", "out", "--block", "nan"], "--block: nan s is not"),
        (["talk.wav", "out", "--device", "abacus"], "--device: abacus cannot be used"),
        (["talk.wav", "out", "--format", "mp3"], "'mp3' is not one of"),
        (["talk.wav", "out", "--loud"], "No such option: --loud"),
    ],
)
def test_what_is_refused(capsys, words, message):
    record("talk.wav")
    Path("empty").mkdir()
    Path("nothing.wav").write_bytes(b"")
    assert message in refused(capsys, "separate", *words)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(capsys):
    record("talk.wav")
    Path("out").mkdir(mode=0o500)
    assert "out cannot be written" in refused(capsys, "separate", "talk.wav", "out", *QUICK)


def test_debug_shows_where(capsys):
    assert main(["separate", "none.wav", "out", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_an_interruption_leaves_nothing(capsys, monkeypatch):
    record("talk.wav")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(recordings, "write", interrupted)
    assert main(["separate", "talk.wav", "out", *QUICK]) == 130
    assert listed(".") == ["talk.wav"]
