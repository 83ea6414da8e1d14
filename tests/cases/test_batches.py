"""One recording of a batch fails, in whatever way: it is one line, and the others are done."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ssml.separation.separator import Separator
from tests.cli.shell import QUICK, listed, record, run


@pytest.mark.parametrize(
    "error, said",
    [
        (MemoryError(), "out of memory"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), "out of memory"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
            "out of memory",
        ),
        (RuntimeError("CUDA error: device-side assert\nmore lines"), "CUDA error"),
        (OSError(5, "Input/output error"), "Input/output error"),
        (KeyError("anything"), "KeyError"),
    ],
)
def test_an_error_of_one_file_is_its_own(capsys, monkeypatch, error, said):
    for name in ("a", "b", "c"):
        record(f"{name}.wav", fs=8000 if name == "b" else 16000)
    forward = Separator.separate_from

    def failing(self, *args):
        if self.fs == 8000:
            raise error
        return forward(self, *args)

    monkeypatch.setattr(Separator, "separate_from", failing)
    words = ["separate", "a.wav", "b.wav", "c.wav", "out", "--json", *QUICK]
    code, out, err = run(capsys, *words)
    said_all = json.loads(out)
    assert code == 1 and err.count("\n") == 1
    assert err.startswith("error: b.wav: ") and said in err
    assert [one["input"] for one in said_all["done"]] == ["a.wav", "c.wav"]
    assert [one["input"] for one in said_all["errors"]] == ["b.wav"]
    assert listed("out") == ["a-1.wav", "a-2.wav", "c-1.wav", "c-2.wav"]


@pytest.mark.parametrize("as_json", [[], ["--json"]])
@pytest.mark.parametrize(
    "name", ["r\udce9union.wav", "会" * 80 + ".wav", "two\nlines.wav", "x" * 240 + ".wav"]
)
def test_odd_names_are_names(capsys, name, as_json):
    record("a.wav")
    record("plain.wav")
    Path("plain.wav").rename(name)
    record("z.wav")
    code, out, err = run(capsys, "separate", "a.wav", name, "z.wav", "out", *as_json, *QUICK)
    assert code == 0 and err == ""
    if as_json:
        assert [one["input"] for one in json.loads(out)["done"]] == ["a.wav", name, "z.wav"]
    else:
        assert out.count(" -> ") == 3
    assert len(listed("out")) == 6


def test_a_name_that_begins_with_a_dash(capsys):
    record("plain.wav")
    Path("plain.wav").rename("-a.wav")
    assert run(capsys, "separate", *QUICK, "--", "-a.wav", "out")[0] == 0
    assert listed("out") == ["-a-1.wav", "-a-2.wav"]


def test_a_folder_that_refuses_modes_takes_outputs(capsys, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    record("a.wav")
    monkeypatch.setattr(Path, "chmod", refuse)
    assert run(capsys, "separate", "a.wav", "out", *QUICK)[0] == 0
    assert listed("out") == ["a-1.wav", "a-2.wav"]


def test_twenty_bad_files_and_three_good_ones(capsys):
    Path("d").mkdir()
    for i in range(20):
        Path(f"d/{i:02}.wav").write_bytes(np.random.default_rng(i).bytes(60 * i))
    for name in ("a", "g", "z"):
        record(f"d/{name}.wav")
    code, out, err = run(capsys, "separate", "d", "out", "--json", *QUICK)
    assert code == 1 and err.count("error: ") == 20 == err.count("\n")
    assert len(json.loads(out)["done"]) == 3 and len(json.loads(out)["errors"]) == 20
    assert len(listed("out")) == 6
