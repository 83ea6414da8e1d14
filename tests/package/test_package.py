"""The public names, and what importing costs."""

import subprocess
import sys

import pytest
import yaml

import ssml
from tests.conftest import ROOT

HEAVY = ("torch", "mlflow", "pyroomacoustics", "matplotlib", "pocketsphinx")


@pytest.mark.parametrize("name", ssml.__all__)
def test_public_names_are_there(name):
    assert getattr(ssml, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'seperate'"):
        _ = ssml.seperate


@pytest.mark.parametrize(
    "modules, allowed",
    [
        ("ssml, ssml.config.params, ssml.files.provenance, ssml.config.layout", ()),
        ("pipeline.corpus, pipeline.scenes", ()),
        ("pipeline.mix", ("pyroomacoustics",)),
        ("pipeline.separate, pipeline.score", ("torch",)),
        ("pipeline.transcribe", ()),
        ("pipeline.report", ("matplotlib",)),
    ],
)
def test_stages_import_only_what_they_use(modules, allowed):
    command = f"import sys, {modules}; print([n for n in {HEAVY} if n in sys.modules])"
    out = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert set(eval(out.stdout)) <= set(allowed)


@pytest.mark.parametrize(
    "raised, code, words",
    [
        ("UserError('a.wav: is bad')", 2, "error: a.wav: is bad"),
        ("KeyboardInterrupt", 130, "interrupted"),
    ],
)
def test_a_script_ends_with_one_line(raised, code, words):
    script = f"from ssml.files.errors import *\ndef main(): raise {raised}\nrun(main)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    (line,) = done.stderr.splitlines()
    assert done.returncode == code and line.startswith(words)


def test_the_version_is_one():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == ssml.__version__
    assert f"## {ssml.__version__}" in (ROOT / "CHANGELOG.md").read_text()
