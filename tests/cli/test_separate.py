"""`ssml separate`: what comes out."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ssml.separation import formats, recordings
from ssml.separation.blocks import order
from ssml.separation.separator import separate
from tests.cli.shell import QUICK, listed, read, record, refused, run
from tests.conftest import ROOT, tiny_model


@pytest.mark.parametrize("fs", [16000, 44100])
@pytest.mark.parametrize("K", [2, 3])
def test_outputs_are_the_librarys(capsys, K, fs):
    mix = record("talk.wav", K, fs)
    code, out, err = run(capsys, "separate", "talk.wav", "out", *QUICK)
    assert code == 0 and err == ""
    paths = [f"out/talk-{k + 1}.wav" for k in range(K)]
    assert out.startswith(
        f"talk.wav -> {' '.join(paths)} (gauss, ip2, 3 iterations, real-time factor"
    )
    assert listed("out") == [f"talk-{k + 1}.wav" for k in range(K)]
    expected = separate(mix, fs=fs, n_fft=256, iterations=3)
    np.testing.assert_allclose(read(*paths), expected, atol=1e-6)
    assert {soundfile.info(path).samplerate for path in paths} == {fs}
    np.testing.assert_allclose(read(*paths).sum(0), mix[0], atol=1e-4)


def test_fewer_sources_another_microphone_and_rule(capsys):
    mix = record("talk.wav", 3)
    options = ["--sources", 2, "--mic", 3, "--rule", "ip", "--model", "gauss", "--hop", 32]
    assert run(capsys, "separate", "talk.wav", "out", *QUICK, *options)[0] == 0
    expected = separate(
        mix, sources=2, mic=2, rule="ip", model="gauss", n_fft=256, hop=32, iterations=3, fs=16000
    )
    np.testing.assert_allclose(read("out/talk-1.wav", "out/talk-2.wav"), expected, atol=1e-6)
    assert len(listed("out")) == 2


def test_a_trained_model_by_name_and_path_at_another_rate(capsys):
    tiny_model("models/mine.safetensors")
    mix = record("talk.wav", 2, 44100)
    for name in ("mine", "models/mine.safetensors"):
        words = ["separate", "talk.wav", name.split("/")[0], "--model", name, "--iterations", 2]
        assert run(capsys, *words)[0] == 0
        expected = separate(
            mix, model="models/mine.safetensors", fs=44100, iterations=2, rule="iss"
        )
        found = read(*(f"{words[2]}/talk-{k}.wav" for k in (1, 2)))
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert "--n-fft: 512, but" in refused(
        capsys, "separate", "talk.wav", "out", "--model", "mine", "--n-fft", 512
    )
    assert "mine                 glu, STFT 256/64" in run(capsys, "models")[1]
    code, out, _ = run(capsys, "models", "mine")
    assert code == 0 and "hop 64" in out and "trained values:" in out


def test_a_shipped_name_means_the_shipped_model_as_in_python(capsys):
    tiny_model("models/learned-sdr.safetensors")
    code, out, _ = run(capsys, "models", "learned-sdr")
    assert code == 0 and "hop 1024" in out
    models = run(capsys, "models")[1].split("\n\n")[0]
    assert [line.split()[0] for line in models.splitlines()][-2:] == [
        "learned-sdr",
        "models/learned-sdr.safetensors",
    ]
    card = json.loads(run(capsys, "models", "models/learned-sdr.safetensors", "--json")[1])
    assert card["stft"] == {"n_fft": 256, "hop": 64}


def test_json_is_all_that_is_on_stdout(capsys):
    mix = record("talk.wav")
    code, out, _ = run(capsys, "separate", "talk.wav", "none.wav", "out", "--json", *QUICK)
    said = json.loads(out)
    (one,) = said["done"]
    assert code == 1 and one["outputs"] == ["out/talk-1.wav", "out/talk-2.wav"]
    assert one["fs"] == 16000 and one["samples"] == mix.shape[-1] and one["gain"] == 1
    assert said["errors"] == [{"input": "none.wav", "error": "none.wav: no such file"}]
    assert said["settings"]["model"] == "auto"


def test_the_word_on_the_separation_is_printed_and_in_the_json(capsys):
    mix = record("talk.wav")
    soundfile.write("same.wav", mix[[0, 0]].T, 16000, subtype="FLOAT")
    out = run(capsys, "separate", "same.wav", "out", *QUICK)[1]
    assert "condition" in out and "T60" in out and "hint: channels are identical (1 = 2)" in out
    (one,) = json.loads(run(capsys, "separate", "same.wav", "o", "--json", *QUICK)[1])["done"]
    assert one["diagnosis"]["identical_channels"] == [[1, 2]] and one["diagnosis"]["hints"]
    assert len(one["diagnosis"]["changes"]) == 3


@pytest.mark.slow
def test_the_first_compilation_is_announced_and_not_counted(tmp_path):
    record("talk.wav", seconds=2)
    words = [sys.executable, "-m", "ssml", "separate", "talk.wav", "out", "--json", "--force"]
    cache = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    options: Any = {"env": os.environ | cache, "capture_output": True, "text": True, "check": True}
    done = [subprocess.run([*words, *QUICK], **options) for _ in range(2)]
    reports = [json.loads(one.stdout)["done"][0] for one in done]
    assert done[0].stderr == f"{recordings.COMPILING}\n" and done[1].stderr == ""
    assert reports[0]["compiling"] > 2 and reports[1]["compiling"] == 0
    assert reports[0]["elapsed"] < reports[0]["compiling"]


def test_plot_writes_a_picture_beside_the_outputs(capsys):
    record("talk.wav")
    assert run(capsys, "separate", "talk.wav", "out", "--plot", *QUICK)[0] == 0
    assert listed("out") == ["talk-1.wav", "talk-2.wav", "talk.png"]
    picture = Path("out/talk.png").read_bytes()
    assert picture.startswith(b"\x89PNG") and len(picture) > 10_000
    message = refused(capsys, "separate", "talk.wav", "new", "--plot", "--iterations", "-1")
    assert "--iterations: -1 is below 0" in message
    Path("new").mkdir()
    Path("new/talk.png").write_bytes(b"mine")
    assert "new/talk.png exists" in refused(capsys, "separate", "talk.wav", "new", "--plot")


def test_plot_without_matplotlib_names_the_extra(capsys, monkeypatch):
    record("talk.wav")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for module in ("ssml.report.figures", "ssml.report.spectrograms"):
        monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.delattr(module, raising=False)
    message = refused(capsys, "separate", "talk.wav", "out", "--plot", *QUICK)
    assert (
        message
        == "error: --plot: matplotlib is missing; pip install '.[plot]' in the project's folder\n"
    )


def test_flac_never_clips(capsys):
    mix = 3 * record("talk.wav")
    soundfile.write("talk.wav", mix.T, 16000, subtype="FLOAT")
    words = ["separate", "talk.wav", "out", "--format", "flac", "--json", *QUICK]
    (one,) = json.loads(run(capsys, *words)[1])["done"]
    found = read(*one["outputs"])
    assert one["gain"] < 1 and np.abs(found).max() == pytest.approx(1, abs=1e-5)
    expected = separate(mix, n_fft=256, iterations=3)
    np.testing.assert_allclose(found / one["gain"], expected, atol=1e-5)
    assert soundfile.info(one["outputs"][0]).subtype == "PCM_24"


def test_blocks_keep_the_order_of_the_sources(capsys):
    record("long.wav", seconds=24)
    words = ["separate", "long.wav", "--n-fft", 512, "--json"]
    reports = [
        json.loads(run(capsys, *words, folder, "--block", block)[1])["done"][0]
        for folder, block in (("whole", 60), ("cut", 6))
    ]
    assert reports[0]["blocks"] == 1 and reports[1]["blocks"] > 3
    whole, cut = (read(*report["outputs"]) for report in reports)
    assert whole.shape == cut.shape
    for start in range(0, whole.shape[1], 32000):
        a, b = (x[:, start : start + 32000] for x in (whole, cut))
        assert list(order(a, b)) == list(order(whole, cut))
    np.testing.assert_allclose(cut.sum(0), whole.sum(0), atol=1e-4)


def test_a_recording_that_fits_a_block_is_one(capsys):
    mix = record("talk.wav", seconds=1)
    assert run(capsys, "separate", "talk.wav", "out", "--block", 1, *QUICK)[0] == 0
    expected = separate(mix, n_fft=256, iterations=3)
    np.testing.assert_allclose(read("out/talk-1.wav", "out/talk-2.wav"), expected, atol=1e-6)


def test_folders_and_patterns(capsys):
    (folder := Path("day")).mkdir()
    record(folder / "b.wav")
    record(folder / "a.flac", subtype="PCM_16")
    (folder / "notes.txt").write_text("not audio")
    assert list(formats.find(["day"]).places) == [folder / "a.flac", folder / "b.wav"]
    assert list(formats.find(["d*/*.wav", "day/b.wav"]).places) == [folder / "b.wav"]
    assert run(capsys, "separate", "day", "out", *QUICK)[0] == 0
    assert listed("out") == ["a-1.wav", "a-2.wav", "b-1.wav", "b-2.wav"]


def test_past_frames_and_a_background(capsys):
    mix = record("talk.wav", 3)
    form = ["--taps", 2, "--delay", 3, "--sources", 2, "--reduce", "background"]
    words = ["separate", "talk.wav", "out", "--model", "laplace", *QUICK]
    code, out, _ = run(capsys, *words, *form)
    assert code == 0 and "3 iterations, 2 past frames, real-time factor" in out
    form = {"taps": 2, "delay": 3, "sources": 2, "reduce": "background"}
    expected = separate(mix, model="laplace", fs=16000, n_fft=256, iterations=3, **form)
    np.testing.assert_allclose(read("out/talk-1.wav", "out/talk-2.wav"), expected, atol=1e-6)
    done = json.loads(run(capsys, *words, "--taps", 1, "--force", "--json")[1])["done"]
    assert (done[0]["taps"], done[0]["delay"]) == (1, 2)
    assert "--taps: -1 is below 0" in refused(capsys, *words[:2], "o", "--taps", "-1")
