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


@pytest.fixture
def kernel(tmp_path):
    """Runs a kernel of a module of the test's own in a process; says what it printed."""
    (tmp_path / "mine.py").write_text(
        "import sys\n"
        "from ssml.iva.compilation import clock\n"
        "from ssml.iva.compiled import compiled, inner\n"
        "@inner\ndef twice(x):\n    return 2 * x\n"
        "@compiled\ndef four(x):\n    return twice(twice(x))\n"
        "print(four(1.5), 'compiled' if clock.seconds else 'kept')\n"
    )

    def run(*before, **environment):
        done = subprocess.run(
            [*before, sys.executable, "-c", "import mine"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}", **environment},
            capture_output=True,
            text=True,
        )
        assert not done.returncode and not done.stderr, done.stderr
        return done.stdout.strip()

    return run


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[: len(data) // 2]])
@pytest.mark.parametrize("kind", ["nbi", "nbc"])
def test_a_damaged_file_is_compiled_anew(kernel, tmp_path, kind, damage):
    assert kernel() == "6.0 compiled" and kernel() == "6.0 kept"
    (path,) = (tmp_path / "__pycache__").glob(f"*.{kind}")
    path.write_bytes(damage(path.read_bytes()))
    assert kernel() == "6.0 compiled" and kernel() == "6.0 kept"


def test_a_file_that_may_not_be_read_is_compiled_anew(kernel, tmp_path):
    assert kernel() == "6.0 compiled"
    for path in (tmp_path / "__pycache__").glob("*.nb?"):
        path.unlink()
        path.mkdir()  # no one can read it as a file, not even root
    assert kernel() == "6.0 compiled" and kernel() == "6.0 compiled"


def test_without_a_folder_to_write_to_kernels_are_kept_in_a_temporary_one(kernel, tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    (tmp_path / "__pycache__").write_text("no folder")
    given = {"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null/x", "TMPDIR": str(temporary)}
    assert kernel(**given) == "6.0 compiled" and kernel(**given) == "6.0 kept"
    (folder,) = temporary.glob("ssml-kernels-*")
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)  # another user may have put something there
    assert kernel(**given) == "6.0 compiled" and kernel(**given) == "6.0 compiled"


@pytest.mark.slow
def test_kernels_are_not_compiled_where_numba_is_told_so():
    code = (
        "import torch; from ssml.iva import auxiva, models\n"
        "torch.manual_seed(0); X = torch.randn(2, 3, 20, dtype=torch.complex64)\n"
        "for rule in ('iss', 'iss-6-sweeps', 'ip', 'ip2'):\n"
        "    W = auxiva.demix(X, models.CLASSICAL['gauss'](), rule, 2).W\n"
        "    print(*W.abs().flatten().tolist())"
    )
    found = []
    for disabled in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "NUMBA_DISABLE_JIT": disabled},
            capture_output=True,
            text=True,
        )
        assert not done.returncode and not done.stderr, done.stderr
        found.append([float(word) for word in done.stdout.split()])
    assert found[0] == pytest.approx(found[1], rel=1e-3)


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
