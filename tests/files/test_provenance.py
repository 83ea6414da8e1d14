import os
import shutil
import subprocess
import sys
import zlib

import numpy as np
import pytest

from ssml.files import provenance, sources
from tests.conftest import ROOT

KNOWN = '''"""A stage."""

from pathlib import Path

import numpy as np


def make(x: float, *rest: int, name: str = "a", **more) -> list[str]:
    """What it makes."""
    match rest:
        case [1, 2, *_] if (n := len(rest)) > 2:
            return [f"{name!r}: {x:.3f} {n}" "and", b"".decode(), u"ü"]
        case _:
            async_ = lambda y, /, z=1e-3: y @ z  # why
    with open(Path(name)) as file, np.errstate(all="ignore"):
        return [line for line in file if not line.isspace() and -x < 1j.imag <= 2**10]
'''


def test_a_generator_depends_on_its_key_alone():
    one, two = (provenance.generator(1, "scene", "a").random(3) for _ in range(2))
    assert np.array_equal(one, two)
    for other in [(2, "scene", "a"), (1, "scene", "b"), (1, "scenea", ""), (1, "scene")]:
        assert not np.array_equal(one, provenance.generator(*other).random(3))


def test_modules_are_those_a_stage_imports():
    found = provenance.modules("pipeline.scenes")
    assert {
        "pipeline.scenes",
        "ssml.data.scenes",
        "ssml.config.params",
        "ssml.data.corpora",
    } <= set(found)
    assert not {"ssml.training.trainer", "ssml.iva.auxiva", "ssml.tracking"} & set(found)
    trained = set(provenance.modules("pipeline.train"))
    assert {"ssml.iva.auxiva", "ssml.iva.models.glu"} <= trained
    assert (
        not {"ssml.tracking", "ssml.tracking.store", "ssml.files.progress", "ssml.report.figures"}
        & trained
    )


@pytest.fixture
def project(tmp_path):
    ignored = shutil.ignore_patterns("__pycache__")  # other processes write there meanwhile
    for folder in ("ssml", "pipeline"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)

    def digest(stage):
        command = f"from ssml.files import provenance; print(provenance.code('pipeline.{stage}'))"
        out = subprocess.run(
            [sys.executable, "-c", command],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        return out.stdout

    return tmp_path, digest


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_logic_changes_the_digest_and_comments_do_not(project):
    root, digest = project
    before = {stage: digest(stage) for stage in ("scenes", "separate")}
    edit(
        root / "ssml/iva/updates/iss.py",
        "    K = G.shape[-1]\n",
        "    # why\n\n    K = G.shape[-1]\n",
    )
    edit(root / "ssml/iva/updates/iss.py", '"""Steer', '"""Carefully steer')
    edit(root / "ssml/config/params.py", '"""of the data: scenes', '"""of all data: scenes')
    assert {stage: digest(stage) for stage in before} == before
    edit(root / "ssml/iva/updates/iss.py", "1 - norm", "2 - norm")
    assert digest("separate") != before["separate"]
    assert digest("scenes") == before["scenes"]


def test_a_template_counts_for_the_stage_that_renders_it(project):
    root, digest = project
    before = {stage: digest(stage) for stage in ("report", "score")}
    template = next((root / "ssml/report").glob("*.j2"))
    template.write_text(template.read_text() + "<!-- more -->")
    assert digest("report") != before["report"]
    assert digest("score") == before["score"]


@pytest.mark.parametrize("version", ["3.12", "3.13", "3.14"])
def test_every_version_of_python_gives_the_same_digests(version, tmp_path):
    """What one version made, another does not make again."""
    for name in provenance.PACKAGES:  # without what this version has kept of them
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignore)
    python = shutil.which(f"python{version}")
    stages = ("train", "report", "transcribe")
    code = f"from ssml.files import provenance; print(*map(provenance.code, {stages!r}))"
    code = code.replace("provenance.code,", "lambda s: provenance.code('pipeline.' + s),")
    environment = {**os.environ, "PYENV_VERSION": version}  # where pyenv has several
    done = python and subprocess.run(
        [python, "-S", "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    if not done or "pyenv" in done.stderr:
        pytest.skip(f"needs Python {version}")
    assert done.stdout.split() == [provenance.code(f"pipeline.{stage}") for stage in stages]


def test_the_digest_of_a_known_text_stays(tmp_path, monkeypatch):
    """A golden value: results that were made before would otherwise all be made again."""
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline/stage.py").write_text(KNOWN)
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    assert provenance.code("pipeline.stage") == "f66a397036a4bfba"


class TestKept:
    """What was read of a file is kept beside it, for its content alone."""

    @pytest.fixture
    def file(self, tmp_path):
        path = tmp_path / "mine.py"
        path.write_text("import os\n\n\ndef one():\n    return os.sep\n")
        return path

    def state(self, file):
        found = sources._read.__wrapped__(file, "mine", frozenset(), (0, 0))
        return found, file.parent / "__pycache__/mine.digest"

    def test_what_is_kept_is_what_was_read(self, file, monkeypatch):
        first, place = self.state(file)
        assert place.exists()
        monkeypatch.setattr(sources, "_parsed", None)  # which is not called
        assert self.state(file)[0] == first

    @pytest.mark.parametrize("damage", [b"", b"{}", zlib.compress(b"{}"), zlib.compress(b"[1")])
    def test_a_damaged_copy_is_read_anew(self, file, damage):
        first, place = self.state(file)
        place.write_bytes(damage)
        assert self.state(file)[0] == first
        assert place.read_bytes() != damage

    def test_an_edit_is_seen(self, file):
        first, _ = self.state(file)
        file.write_text(file.read_text().replace("sep", "linesep"))
        assert self.state(file)[0] != first

    def test_a_folder_that_may_not_be_written_to_keeps_nothing(self, file):
        (file.parent / "__pycache__").write_text("in the way")
        assert self.state(file)[0].used["os"] == {"sep"}
