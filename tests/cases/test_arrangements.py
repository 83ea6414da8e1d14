"""A file a microphone, some channels of a file, folders of folders, the same command again."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssml.files.errors import UserError
from ssml.separation import memory
from tests.cli.shell import QUICK, listed, read, record, refused, run


@pytest.fixture
def files():
    """A recording of three microphones, whole and as a file for each."""
    mix = record("whole.wav", 3)
    for m in range(3):
        soundfile.write(f"a{m + 1}.wav", mix[m], 16000, subtype="FLOAT")
    return ["a1.wav", "a2.wav", "a3.wav"]


def test_a_file_for_each_microphone_is_joined(capsys, files):
    assert run(capsys, "separate", "whole.wav", "out", *QUICK)[0] == 0
    code, out, err = run(capsys, "separate", "--join", *files, "joined", *QUICK)
    assert code == 0 and err == "" and out.startswith("a1.wav a2.wav a3.wav -> joined/a1-1.wav")
    assert listed("joined") == ["a1-1.wav", "a1-2.wav", "a1-3.wav"]
    for k in (1, 2, 3):
        np.testing.assert_array_equal(read(f"joined/a1-{k}.wav"), read(f"out/whole-{k}.wav"))


def test_files_of_one_channel_name_join(capsys, files):
    code, _, err = run(capsys, "separate", *files, "out", *QUICK)
    assert code == 2 and err.count("error: ") == 3
    assert err.splitlines()[-1] == (
        "hint: is each a microphone's? ssml separate --join a1.wav a2.wav a3.wav out"
    )


def test_files_to_join_may_differ_by_some_samples_but_not_in_rate(capsys, files):
    x = soundfile.read("a2.wav", dtype="float32")[0]
    soundfile.write("a2.wav", x[:-7], 16000, subtype="FLOAT")
    code, out, _ = run(capsys, "separate", "--join", *files, "out", *QUICK)
    assert code == 0 and "the files differ by 7 samples" in out
    assert read("out/a1-1.wav").shape[-1] == len(x) - 7
    soundfile.write("a2.wav", x, 8000)
    error = refused(capsys, "separate", "--join", *files, "new", *QUICK)
    assert "rates differ (a1.wav 16000 Hz, a2.wav 8000 Hz, a3.wav 16000 Hz)" in error
    assert "none.wav: no such file" in refused(
        capsys, "separate", "--join", "a1.wav", "none.wav", "x"
    )


def test_channels_are_chosen(capsys):
    mix = record("m.wav", 5, seconds=1)
    soundfile.write("part.wav", mix[[1, 2, 4]].T, 16000, subtype="FLOAT")
    assert run(capsys, "separate", "part.wav", "out", *QUICK, "--mic", 3)[0] == 0
    words = ["m.wav", "out", *QUICK, "--channels", "2-3,5", "--mic", 5, "--json"]
    (one,) = json.loads(run(capsys, "separate", *words)[1])["done"]
    assert one["mic"] == 5 and one["channels"] == 3
    np.testing.assert_array_equal(
        read(*one["outputs"]), read(*(f"out/part-{k}.wav" for k in (1, 2, 3)))
    )


@pytest.mark.parametrize(
    "words, said",
    [
        (["--channels", "2-9"], "m.wav: --channels 9, but there are 2 channels"),
        (["--channels", "0-1"], "--channels 0-1: name channels from 1"),
        (["--channels", "left"], "--channels left: name channels from 1"),
        (["--channels", "1,1"], "--channels 1,1: names a channel twice"),
        (["--channels", "2"], "m.wav: 1 channel; separation needs at least two"),
    ],
)
def test_channels_that_cannot_be_chosen(capsys, words, said):
    record("m.wav")
    assert said in refused(capsys, "separate", "m.wav", "out", *words)


def test_folders_of_folders_keep_their_tree(capsys):
    for name in ("d/1/m.wav", "d/2/m.wav", "d/m.wav"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        record(name)
    error = refused(capsys, "separate", "d/1/m.wav", "d/2/m.wav", "out")
    assert "d/1/m.wav, d/2/m.wav: their outputs would have the same names" in error
    assert "--recursive" in error
    words = ["separate", "--recursive", "d", "d/out", *QUICK]
    assert run(capsys, *words)[0] == 0
    found = sorted(str(path) for path in Path("d/out").rglob("*.wav"))
    wanted = [f"d/out/{place}m-{k}.wav" for place in ("1/", "2/", "") for k in (1, 2)]
    assert found == wanted
    code, _, err = run(capsys, *words)  # the outputs are no recordings
    assert code == 2 and err.count("exists already; --force") == 3


def test_what_is_done_is_skipped_and_the_rest_is_not(capsys):
    record("a.wav")
    record("b.wav")
    words = ["separate", "a.wav", "b.wav", "out", *QUICK, "--skip"]
    assert run(capsys, *words)[0] == 0
    before = read("out/a-1.wav")
    Path("out/b-2.wav").unlink()  # stopped in the middle
    record("a.wav", seed=1)
    code, out, _ = run(capsys, *words, "--json")
    said = json.loads(out)
    assert code == 0 and said["skipped"] == ["a.wav"] and said["done"][0]["input"] == "b.wav"
    np.testing.assert_array_equal(read("out/a-1.wav"), before)
    assert "a.wav: skipped" in run(capsys, *words)[1] and len(listed("out")) == 4
    record("c.wav")
    _, _, err = run(capsys, "separate", "c.wav", *words[1:], "--page")
    assert "note: --page: without the 2 recordings that were skipped" in err


def test_a_block_is_as_long_as_memory_allows():
    each = memory.estimate(16, 16, 1, 2049, 16000 / 1024)
    assert memory.fitting(None, 60, each, 1e12) == 60
    assert 10 <= memory.fitting(None, 60, each, 3e9) < 30
    for block, most in ((None, 1e8), (60, 3e9)):
        with pytest.raises(UserError, match="GB of memory.*--sources"):
            memory.fitting(block, 60, each, most)
    few = memory.estimate(16, 2, 1, 2049, 16000 / 1024)
    assert memory.fitting(60, 60, few, 3e9) == 60


def test_little_memory_makes_smaller_blocks_and_too_little_an_error(capsys, monkeypatch):
    record("m.wav", seconds=25)
    words = ["separate", "m.wav", "out", *QUICK, "--model", "laplace"]
    each = memory.estimate(2, 2, 1, 129, 250)
    monkeypatch.setattr(memory, "free", lambda _: 15 * each / memory.SHARE)
    code, out, _ = run(capsys, *words)
    assert code == 0 and "in blocks of 1" in out and "for which there is memory" in out
    assert "--block 14, or --sources K" in refused(
        capsys, *words, "--force", "--block", 20
    ).replace("--block 15", "--block 14")
