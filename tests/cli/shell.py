"""The command, called as a shell would, and recordings to call it with."""

import os
from pathlib import Path

import numpy as np
import soundfile

from ssml.cli.main import main
from ssml.separation.recordings import COMPILING
from tests.conftest import speechlike

QUICK = ["--n-fft", "256", "--iterations", "3"]


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
    """The exit code, stdout and stderr of `ssml WORDS`; a first compilation is not told."""
    code = main([str(word) for word in words])
    out, err = capsys.readouterr()
    err = err.replace(f"{COMPILING}\n", "")
    assert "Traceback" not in err
    return code, out, err


def refused(capsys, *words, leaves=()):
    """The one line that `ssml WORDS` is refused with; nothing is written."""
    before = sorted(os.walk("."))
    code, out, err = run(capsys, *words)
    assert code == 2 and out == "" and err.count("\n") == 1 and err.startswith("error: ")
    assert sorted(os.walk(".")) == before
    return err
