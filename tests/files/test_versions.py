"""The versions of the libraries that computed stand beside every result."""

import sys

import numpy
import pytest

from ssml.files import io, versions


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Two results, of which the second was made with an older numpy."""
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for path in paths:
        path.write_text("x\n")
        versions.write(path)
    file = versions.beside(paths[1])
    known = io.read_json(file)
    known["libraries"]["numpy"] = "1.0"
    io.write_json(file, known)
    return paths


def test_what_the_process_has_imported_stands_beside_the_result(results, monkeypatch):
    known = io.read_json(versions.beside(results[0]))
    assert known["libraries"]["numpy"] == numpy.__version__ and known["device"]
    assert known["python"] == ".".join(map(str, sys.version_info[:3]))
    monkeypatch.delitem(sys.modules, "scipy", raising=False)
    versions.write(results[0])
    assert "scipy" not in versions.read(results[0])


def test_what_another_version_computed_is_outdated(results, tmp_path):
    assert versions.outdated(results) == [results[1]]
    assert versions.together(results)["numpy"] == ["1.0", numpy.__version__]
    text = versions.as_text({"numpy": ["1.0", "2.4"], "torch": ["2.13"]})
    assert text == "numpy 1.0 and 2.4, torch 2.13"
    unknown = tmp_path / "c.csv"  # of an object store, or made before versions were kept
    assert versions.outdated([unknown]) == [] and versions.read(unknown) == {}
