"""What numba keeps of the compiled kernels on disk: nothing on a full one, nothing stale."""

import os
import shutil
import subprocess
import sys

import numba
import pytest

from ssml.iva import compiled
from ssml.iva.compilation import clock
from tests import disk
from tests.conftest import ROOT


def test_numba_still_has_the_private_attributes_that_keep_kernels():
    """Where this fails, that version of numba broke them, and every process compiles anew."""
    try:
        compiled._keep_safely(numba.njit(cache=True)(lambda x: x))
    except AttributeError as error:
        pytest.fail(f"numba {numba.__version__}: {error}; mend `kernels.compiled._keep_safely`")


def test_kernels_are_compiled_where_numba_has_lost_them(monkeypatch):
    def lost(dispatcher):
        raise AttributeError("no '_cache'")

    monkeypatch.setattr(compiled, "_keep_safely", lost)
    with pytest.warns(UserWarning, match=r"numba .*no '_cache'; nothing is kept on disk"):
        double = compiled.compiled(lambda x: 2 * x)
    assert double(3.0) == 6.0


def test_the_clock_counts_what_is_compiled_and_announces_it_once():
    told = []

    def twice(x):
        return 2 * x

    with clock.announcing(lambda: told.append(clock.seconds)):
        for argument in (3.0, 3, 4):  # two kinds of arguments
            numba.njit(twice)(argument)
    assert len(told) == 1 and clock.seconds > told[0]
    before = clock.seconds
    numba.njit(twice)(2.0)
    assert clock.seconds > before and len(told) == 1


@pytest.mark.slow
def test_a_full_disk_keeps_no_kernel_but_stops_nothing(tmp_path):
    """Numba compiles, and then fails to keep what it compiled."""
    folder = tmp_path / "cache"
    code = (
        "import torch; from ssml.iva import kernels\n"
        "P, L = kernels.sphere(torch.ones(2, 3, 4, dtype=torch.complex64), torch.tensor(1.0))\n"
        "assert P.isfinite().all()"
    )
    with disk.mounted(folder, "4m") as mounted:
        if not mounted:
            pytest.skip("needs root, to mount a small disk")
        with disk.full(folder):
            environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder)}
            done = subprocess.run(
                [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True
            )
        assert not done.returncode, done.stderr.decode()
        assert not list(folder.rglob("*.nbc"))


@pytest.mark.slow
def test_an_edited_file_is_compiled_anew(tmp_path):
    """Numba looks at the file of the outermost function alone; the rules are in another."""
    shutil.copytree(ROOT / "ssml", tmp_path / "ssml", ignore=shutil.ignore_patterns("__pycache__"))
    rules = tmp_path / "ssml/iva/kernels/rules.py"

    def moved():
        code = (
            "import torch; from ssml.iva import auxiva, models\n"
            "X = torch.randn(2, 3, 40, dtype=torch.complex64)\n"
            "W = auxiva.demix(X, models.CLASSICAL['gauss'](), 'iss', 1).W\n"
            "print(float(W[0, 0, 1].abs()) > 0)"
        )
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True
        )
        assert not done.returncode, done.stderr.decode()
        return done.stdout.decode().strip()

    assert moved() == "True"
    kept = sorted((tmp_path / "cache").rglob("*.nbc"))
    assert moved() == "True" and sorted((tmp_path / "cache").rglob("*.nbc")) == kept
    text = rules.read_text()
    assert text.count("A[m, j] -= v[m] * here") == 1
    rules.write_text(text.replace("A[m, j] -= v[m] * here", "A[m, j] -= 0 * v[m] * here"))
    assert moved() == "False"
