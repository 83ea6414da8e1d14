"""Files that cannot be read, that are cut, or whose headers are wrong."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

import ssml
from tests.cli.shell import QUICK, listed, read, record, refused, run

PHONE = b"\0\0\0\x20ftypM4A " + bytes(range(256)) * 20


@pytest.mark.parametrize("suffix", ["m4a", "mp4", "unknown"])
def test_a_phones_file_names_the_command_that_converts_it(capsys, suffix):
    Path(f"my talk.{suffix}").write_bytes(PHONE)
    error = refused(capsys, "separate", f"my talk.{suffix}", "out")
    assert f"ffmpeg -i 'my talk.{suffix}' 'my talk.wav' converts it" in error


def test_raw_samples_name_the_command_and_do_not_end_a_batch(capsys):
    Path("a.raw").write_bytes(PHONE)
    record("b.wav")
    code, out, err = run(capsys, "separate", "a.raw", "b.wav", "out", *QUICK)
    assert code == 1 and out.count(" -> ") == 1 and err.count("\n") == 1
    assert "a.raw: has no header" in err and "sox -t raw" in err and "a.raw a.wav converts" in err


def test_a_folder_names_what_it_passed_over(capsys):
    Path("d").mkdir()
    Path("d/talk.m4a").write_bytes(PHONE)
    Path("d/notes.txt").write_text("not audio")
    error = refused(capsys, "separate", "d", "out")
    assert "d: no audio files in this folder; passed over talk.m4a, notes.txt; ffmpeg -i" in error
    record("d/good.wav")
    code, out, err = run(capsys, "separate", "d", "out", *QUICK)
    assert code == 0 and out.count(" -> ") == 1 and err.count("\n") == 1
    assert err.startswith("note: passed over talk.m4a, notes.txt; ffmpeg -i d/talk.m4a d/talk.wav")


@pytest.mark.parametrize(
    "format, subtype", [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("RF64", "PCM_24")]
)
def test_a_wav_with_a_wrapped_size_is_read_to_its_end(capsys, format, subtype):
    mix = record("whole.wav", seconds=20, subtype=subtype, format=format)
    data = bytearray(Path("whole.wav").read_bytes())
    place = data.index(b"data")
    if format == "RF64":
        ds64 = data.index(b"ds64")
        data[ds64 + 16 : ds64 + 24] = struct.pack("<Q", 64_000)
    else:
        data[place + 4 : place + 8] = struct.pack("<I", 64_000)
    Path("m.wav").write_bytes(data)
    assert soundfile.info("m.wav").frames < mix.shape[1]
    words = [*QUICK, "--model", "laplace", "--iterations", 1]
    assert run(capsys, "separate", "m.wav", "out", *words)[0] == 0
    est = read("out/m-1.wav", "out/m-2.wav")
    np.testing.assert_allclose(est.sum(0), mix[0], atol=1e-3)


def test_chunks_behind_the_samples_are_no_samples(capsys):
    mix = record("m.wav")
    data = Path("m.wav").read_bytes()
    Path("m.wav").write_bytes(data + b"bext" + struct.pack("<I", 6000) + b"x" * 6000)
    assert run(capsys, "separate", "m.wav", "out", *QUICK)[0] == 0
    assert read("out/m-1.wav").shape[-1] == mix.shape[1]


@pytest.mark.parametrize("suffix", ["flac", "mp3"])
def test_a_file_that_is_cut_is_separated_as_far_as_it_goes(capsys, suffix):
    subtype = {"subtype": "PCM_16"} if suffix == "flac" else {"subtype": "MPEG_LAYER_III"}
    mix = record(f"m.{suffix}", seconds=12, **subtype)
    data = Path(f"m.{suffix}").read_bytes()
    Path(f"m.{suffix}").write_bytes(data[: len(data) // 2])
    code, out, _ = run(capsys, "separate", f"m.{suffix}", "out", *QUICK)
    est = read("out/m-1.wav", "out/m-2.wav")
    assert code == 0 and "the file is cut: " in out and "of 12.0 s are there" in out
    assert 0.3 * mix.shape[1] < est.shape[1] < 0.7 * mix.shape[1]
    n = est.shape[1] - 4000
    assert ssml.si_sdr(est.sum(0)[None, :n], mix[:1, :n])[0].item() > 10


def test_an_mp3_without_its_length_is_whole(capsys):
    mix = record("m.mp3", seconds=12, subtype="MPEG_LAYER_III")
    data = Path("m.mp3").read_bytes()
    first = data.index(data[:2], 4)
    assert b"Xing" in data[:first] or b"Info" in data[:first]
    Path("m.mp3").write_bytes(data[first:])
    code, out, _ = run(capsys, "separate", "m.mp3", "out", *QUICK)
    assert code == 0 and "cut" not in out and len(listed("out")) == 2
    assert abs(read("out/m-1.wav").shape[-1] - mix.shape[1]) < 3000
