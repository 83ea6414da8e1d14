"""The command line: what comes out, what is refused, and that nothing is left half-done."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from ssml import cli_models, recordings
from ssml.cli import main
from ssml.params import CLASSICAL_NAMES
from ssml.separation import separate
from ssml.stream import order
from tests.conftest import ROOT, speechlike, tiny_model

QUICK = ["--n-fft", "256", "--iterations", "3"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def record(path, K=2, fs=16000, seconds=0.5, seed=0, **options):
    """Write a recording of K sources at as many microphones, and return its samples (K, N)."""
    mix = speechlike(K, fs=fs, seconds=seconds, seed=seed)[0].astype(np.float32)
    soundfile.write(path, mix.T, fs, **{"subtype": "FLOAT", **options})
    return mix


def read(*paths):
    return np.stack([soundfile.read(path, dtype="float32")[0] for path in paths])


def listed(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def run(capsys, *words):
    """The exit code, stdout and stderr of `ssml WORDS`."""
    code = main([str(word) for word in words])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, out, err


def refused(capsys, *words, leaves=()):
    """The one line that `ssml WORDS` is refused with; nothing is written."""
    before = sorted(os.walk("."))
    code, out, err = run(capsys, *words)
    assert code == 2 and out == "" and err.count("\n") == 1 and err.startswith("error: ")
    assert sorted(os.walk(".")) == before
    return err


@pytest.mark.parametrize("fs", [16000, 44100])
@pytest.mark.parametrize("K", [2, 3])
def test_outputs_are_the_librarys(capsys, K, fs):
    mix = record("talk.wav", K, fs)
    code, out, err = run(capsys, "separate", "talk.wav", "out", *QUICK)
    assert code == 0 and err == ""
    paths = [f"out/talk-{k + 1}.wav" for k in range(K)]
    assert out.startswith(f"talk.wav -> {' '.join(paths)} (real-time factor")
    assert listed("out") == [f"talk-{k + 1}.wav" for k in range(K)]
    expected = separate(mix, fs=fs, n_fft=256, n_iter=3)
    np.testing.assert_allclose(read(*paths), expected, atol=1e-6)
    assert {soundfile.info(path).samplerate for path in paths} == {fs}
    np.testing.assert_allclose(read(*paths).sum(0), mix[0], atol=1e-4)


def test_fewer_sources_another_microphone_and_rule(capsys):
    mix = record("talk.wav", 3)
    options = ["--sources", 2, "--mic", 3, "--rule", "ip", "--model", "gauss", "--hop", 32]
    assert run(capsys, "separate", "talk.wav", "out", *QUICK, *options)[0] == 0
    expected = separate(mix, n_src=2, mic=2, rule="ip", model="gauss", n_fft=256, hop=32, n_iter=3)
    np.testing.assert_allclose(read("out/talk-1.wav", "out/talk-2.wav"), expected, atol=1e-6)
    assert len(listed("out")) == 2


def test_a_trained_model_by_name_and_path_at_another_rate(capsys):
    tiny_model("models/mine.safetensors")
    mix = record("talk.wav", 2, 44100)
    for name in ("mine", "models/mine.safetensors"):
        words = ["separate", "talk.wav", name.split("/")[0], "--model", name, "--iterations", 2]
        assert run(capsys, *words)[0] == 0
        expected = separate(mix, model="models/mine.safetensors", fs=44100, n_iter=2)
        found = read(*(f"{words[2]}/talk-{k}.wav" for k in (1, 2)))
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert "--n-fft: 512, but" in refused(
        capsys, "separate", "talk.wav", "out", "--model", "mine", "--n-fft", 512
    )
    assert "mine                 glu, STFT 256/64" in run(capsys, "models")[1]
    code, out, _ = run(capsys, "models", "mine")
    assert code == 0 and '"hop": 64' in out and "trained values:" in out


def test_json_is_all_that_is_on_stdout(capsys):
    mix = record("talk.wav")
    code, out, _ = run(capsys, "separate", "talk.wav", "none.wav", "out", "--json", *QUICK)
    said = json.loads(out)
    (one,) = said["done"]
    assert code == 1 and one["outputs"] == ["out/talk-1.wav", "out/talk-2.wav"]
    assert one["fs"] == 16000 and one["samples"] == mix.shape[-1] and one["gain"] == 1
    assert said["errors"] == [{"input": "none.wav", "error": "none.wav: no such file"}]
    assert said["settings"]["model"] == "laplace"


def test_the_word_on_the_separation_is_printed_and_in_the_json(capsys):
    mix = record("talk.wav")
    soundfile.write("half.wav", (mix * [[1], [0]]).T, 16000, subtype="FLOAT")
    out = run(capsys, "separate", "half.wav", "out", *QUICK)[1]
    assert "condition" in out and "T60" in out and "hint: channel 2 is silent" in out
    (one,) = json.loads(run(capsys, "separate", "half.wav", "o", "--json", *QUICK)[1])["done"]
    assert one["diagnosis"]["silent_channels"] == [2] and one["diagnosis"]["hints"]
    assert len(one["diagnosis"]["changes"]) == 3


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
    for module in ("ssml.figures", "ssml.spectrograms"):
        monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.delattr(module, raising=False)
    message = refused(capsys, "separate", "talk.wav", "out", "--plot", *QUICK)
    assert message == "error: --plot: matplotlib is missing; pip install 'ssml[plot]'\n"


def test_export_refuses_what_cannot_be(capsys):
    assert "no 'none' among" in refused(capsys, "export", "none", "out.onnx")
    Path("there.onnx").write_bytes(b"mine")
    assert "--force" in refused(capsys, "export", "none", "there.onnx")
    tiny_model("models/mine.safetensors")
    assert "out.bin: name a file" in refused(capsys, "export", "mine", "out.bin")
    assert "nmf: only trained models" in refused(capsys, "export", "nmf", "out.onnx")
    assert "0 iterations" in refused(capsys, "export", "mine", "out.pt2", "--iterations", 0)


def test_flac_never_clips(capsys):
    mix = 3 * record("talk.wav")
    soundfile.write("talk.wav", mix.T, 16000, subtype="FLOAT")
    words = ["separate", "talk.wav", "out", "--format", "flac", "--json", *QUICK]
    (one,) = json.loads(run(capsys, *words)[1])["done"]
    found = read(*one["outputs"])
    assert one["gain"] < 1 and np.abs(found).max() == pytest.approx(1, abs=1e-5)
    expected = separate(mix, n_fft=256, n_iter=3)
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
    expected = separate(mix, n_fft=256, n_iter=3)
    np.testing.assert_allclose(read("out/talk-1.wav", "out/talk-2.wav"), expected, atol=1e-6)


def test_folders_and_patterns(capsys):
    (folder := Path("day")).mkdir()
    record(folder / "b.wav")
    record(folder / "a.flac", subtype="PCM_16")
    (folder / "notes.txt").write_text("not audio")
    assert recordings.find(["day"]) == [folder / "a.flac", folder / "b.wav"]
    assert recordings.find(["d*/*.wav", "day/b.wav"]) == [folder / "b.wav"]
    assert run(capsys, "separate", "day", "out", *QUICK)[0] == 0
    assert listed("out") == ["a-1.wav", "a-2.wav", "b-1.wav", "b-2.wav"]


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
        (["talk.wav", "out", "--device", "abacus"], "--device abacus: cannot be used"),
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


def test_params_are_checked_and_compared(capsys):
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    assert run(capsys, "params", "check", "params.yaml")[1] == "params.yaml: valid\n"
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    seed, values["seed"] = values["seed"], values["seed"] + 5
    Path("other.yaml").write_text(yaml.safe_dump(values))
    assert run(capsys, "params", "diff", "other.yaml")[1] == f"  seed: {seed} -> {seed + 5}\n"
    assert run(capsys, "params", "diff", "params.yaml")[1] == ""
    explained = run(capsys, "params", "explain", "scenes.snr", "--file", "params.yaml")[1]
    assert explained.startswith(
        "scenes.snr = [10.0, 30.0]\n    of the mixture against the noise, dB"
    )
    assert len(run(capsys, "params", "explain")[1].splitlines()) > 150
    assert "snrr: no such key" in refused(capsys, "params", "explain", "scenes.snrr")
    Path("other.yaml").write_text(yaml.safe_dump({**values, "sede": 1}))
    assert "sede: unknown key" in refused(capsys, "params", "check", "other.yaml")
    assert "none.yaml: cannot be read" in refused(capsys, "params", "check", "none.yaml")


def test_models_and_doctor(capsys):
    lines = run(capsys, "models")[1].splitlines()
    assert [line.split()[0] for line in lines] == [
        *("laplace", "gauss", "nmf", "learned-coherence", "learned-sdr")
    ]
    assert tuple(cli_models.CLASSICAL) == CLASSICAL_NAMES
    assert run(capsys, "models", "nmf")[1] == f"{lines[2]}\n"
    assert "model: no 'none' among laplace" in refused(capsys, "models", "none")
    code, out, _ = run(capsys, "doctor")
    assert code == 0 and "soxr" in out and "cpu" in out


def test_separating_imports_nothing_heavy_but_torch():
    record("talk.wav")
    command = (
        "import sys, ssml.cli; code = ssml.cli.main(['separate', 'talk.wav', 'out']);"
        "heavy = ('mlflow', 'matplotlib', 'pyroomacoustics', 'pocketsphinx', 'onnx', 'pandas',"
        "'scipy.optimize');"
        "print([name for name in heavy if name in sys.modules]); sys.exit(code)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", command], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout.endswith("[]\n")


@pytest.mark.parametrize(
    "words, said",
    [
        (["--help"], "ssml separate meeting.wav out/"),
        (["separate", "--help"], "ssml separate meeting.wav out/"),
        (["models"], "learned-sdr          glu"),
    ],
)
def test_what_computes_nothing_is_quick(words, said):
    command = (
        f"import sys, ssml.cli; code = ssml.cli.main({words});"
        "print([name for name in ('torch', 'scipy') if name in sys.modules]); sys.exit(code)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", command], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0 and said in done.stdout
    assert done.stdout.endswith("[]\n")
