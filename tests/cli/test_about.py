"""`ssml params`, `models` and `doctor`; what is imported for what."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ssml.cli import models
from ssml.config.names import CLASSICAL_NAMES
from tests.cli.shell import record, refused, run
from tests.conftest import ROOT


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
    assert tuple(models.CLASSICAL) == CLASSICAL_NAMES
    assert run(capsys, "models", "nmf")[1] == f"{lines[2]}\n"
    assert "model: no 'none' among laplace" in refused(capsys, "models", "none")
    code, out, _ = run(capsys, "doctor")
    assert code == 0 and "soxr" in out and "cpu" in out


def test_separating_imports_nothing_heavy_but_torch():
    record("talk.wav")
    command = (
        "import sys; from ssml.cli import main; code = main.main(['separate', 'talk.wav', 'out']);"
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
        f"import sys; from ssml.cli import main; code = main.main({words});"
        "print([name for name in ('torch', 'scipy') if name in sys.modules]); sys.exit(code)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", command], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0 and said in done.stdout
    assert done.stdout.endswith("[]\n")


@pytest.mark.parametrize("words, code", [(["models"], 0), (["separate", "none.wav", "out"], 2)])
def test_a_shell_gets_all_that_is_printed_and_the_exit_code(words, code):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "ssml", *words], env=environment, capture_output=True, text=True
    )
    assert done.returncode == code
    assert "learned-sdr" in done.stdout if code == 0 else done.stderr.startswith("error: none.wav")
