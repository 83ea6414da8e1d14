import errno
import fcntl
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssml.data.shards import write_tar
from ssml.files import io
from ssml.files.errors import UserError
from ssml.separation.recordings import Target, separate_file
from ssml.separation.separator import Separator
from tests.conftest import ROOT


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    io.write_text(path, "old")
    with pytest.raises(RuntimeError), io.atomic(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_tables_and_lines_come_back(tmp_path):
    io.write_table(tmp_path / "t.csv", [{"a": 0.1 + 0.2, "b": "x,y"}], ("a", "b"))
    assert io.read_table(tmp_path / "t.csv") == [{"a": "0.30000000000000004", "b": "x,y"}]
    io.write_lines(tmp_path / "l.jsonl", [{"a": [1]}, {"b": None}])
    assert io.read_lines(tmp_path / "l.jsonl") == [{"a": [1]}, {"b": None}]


def test_flac_keeps_16_bits():
    audio = np.random.default_rng(0).uniform(-1, 1, (2, 1000)).astype(np.float32)
    decoded, fs = io.read_audio(io.encode_flac(audio, 16000))
    assert fs == 16000 and decoded.shape == audio.shape
    np.testing.assert_allclose(decoded, audio, atol=1 / 32768)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda path: None, "cannot be read"),
        (lambda path: path.write_bytes(b""), "cannot be read"),
        (lambda path: path.write_bytes(b"fLaC" + bytes(100)), "cannot be read"),
        (lambda path: soundfile.write(path, np.zeros(9), 8000), "8000 Hz where 16000 Hz"),
        (lambda path: soundfile.write(path, np.zeros(0), 16000, format="WAV"), "no samples"),
    ],
)
def test_bad_audio_is_an_error_that_names_the_file(tmp_path, make, words):
    path = tmp_path / "a.flac"
    make(path)
    with pytest.raises(UserError, match=f"a.flac: .*{words}"):
        io.read_audio(path, 16000)


def test_samples_that_are_not_numbers_are_an_error(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.array([0, np.nan]), 16000, subtype="FLOAT")
    with pytest.raises(UserError, match="not finite"):
        io.read_audio(tmp_path / "a.wav")


def test_truncated_flac_is_an_error(tmp_path):
    data = io.encode_flac(np.random.default_rng(0).uniform(-1, 1, (1, 50000)), 16000)
    with pytest.raises(UserError, match="cut: cannot be read"):
        io.read_audio(data[: len(data) // 2], name="cut")


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path):
    """And what a living one is writing stays, and becomes the file."""
    code = (
        "import os, sys; from ssml.files import io\n"
        "with io.atomic(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half'); os.kill(os.getpid(), 9)\n"
    )
    path = tmp_path / "a.csv"
    subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT)
    (left,) = tmp_path.iterdir()
    assert left.match(f".a.csv.*{io.PART}")
    with io.atomic(path) as temporary:
        temporary.write_text("slow")
        assert not left.exists()
        io.write_text(path, "fast")
        assert path.read_text() == "fast" and temporary.exists()
    assert path.read_text() == "slow"
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


@pytest.fixture
def windows(monkeypatch):
    """Its rules: no rename of an open file, no sync of one that is open for reading."""
    replace, fsync = Path.replace, os.fsync

    def is_open(path):
        handles = Path("/proc/self/fd").iterdir()
        return any(os.path.realpath(one) == str(path.resolve()) for one in handles)

    def strict_replace(self, target):
        if is_open(self) or (Path(target).exists() and is_open(Path(target))):
            raise PermissionError(errno.EACCES, "used by another process", str(self))
        return replace(self, target)

    def strict_fsync(handle):
        if fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        fsync(handle)

    monkeypatch.setattr(Path, "replace", strict_replace)
    monkeypatch.setattr(os, "fsync", strict_fsync)


def test_files_are_written_by_the_rules_of_windows(windows, tmp_path):
    for text in ("old", "new"):
        io.write_text(tmp_path / "a.txt", text)
    assert (tmp_path / "a.txt").read_text() == "new"
    with pytest.raises(RuntimeError), io.atomic(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("refused", ["fsync", "chmod", "lock"])
def test_files_are_written_where_the_file_system_refuses(tmp_path, monkeypatch, refused):
    def refuse(*_, **__):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    place = {"fsync": os, "chmod": Path, "lock": io}[refused]
    monkeypatch.setattr(place, "lock_descriptor" if refused == "lock" else refused, refuse)
    for text in ("old", "new"):
        io.write_text(tmp_path / "a.txt", text)
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "new"


def test_an_error_of_the_disk_at_the_last_moment_leaves_the_old_file(tmp_path, monkeypatch):
    io.write_text(tmp_path / "a.txt", "old")

    def fail(handle):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(UserError, match=r"a.txt: cannot be written \(Input/output error"):
        io.write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_writers_of_one_file_do_not_remove_each_others(tmp_path):
    def write(i):
        for j in range(50):
            io.write_text(tmp_path / "a.txt", f"{i} {j}")

    with ThreadPoolExecutor(4) as pool:
        assert [*pool.map(write, range(4))] == [None] * 4
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_full_disk_is_one_line_and_leaves_the_old_file(small_disk):
    io.write_text(small_disk / "a.txt", "old")
    writers = [
        lambda: io.write_text(small_disk / "a.txt", "x" * 100_000),
        lambda: io.write_json(small_disk / "a.txt", list(range(50_000))),
        lambda: io.write_table(small_disk / "a.txt", [{"a": 1}] * 50_000, ("a",)),
        lambda: write_tar(small_disk / "a.txt", [("m", {"json": bytes(100_000)})]),
    ]
    for write in writers:
        with pytest.raises(UserError, match=r"a.txt: cannot be written \(No space left") as caught:
            write()
        assert "\n" not in str(caught.value)
        assert [p.name for p in small_disk.iterdir()] == ["a.txt"]
        assert (small_disk / "a.txt").read_text() == "old"


def test_a_full_disk_stops_a_separation_without_outputs(small_disk, tmp_path):
    audio = np.random.default_rng(0).uniform(-0.1, 0.1, (9000, 2))
    soundfile.write(tmp_path / "r.wav", audio, 16000)
    for room in (1_000, 40_000):  # the waiting outputs, or the files, do not fit
        (small_disk / "ballast").write_bytes(bytes(60_000 - room))
        with pytest.raises(UserError, match=r"r.wav: .*cannot be written"):
            separate_file(
                tmp_path / "r.wav",
                Target(small_disk / "out"),
                lambda fs: Separator(iterations=1, n_fft=256, model="laplace", rule="iss"),
            )
        assert not list(small_disk.rglob("*.wav"))
