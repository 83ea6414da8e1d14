"""The container's steps in a plain folder, as there may be nothing here to build it with."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests import project
from tests.conftest import ROOT

FILE = ROOT / "profiles/container/Containerfile"


def steps() -> list[tuple[str, str]]:
    """The instructions of the container's file: their words, and the rest of their lines."""
    text = re.sub(r"^#.*\n", "", FILE.read_text(), flags=re.M).replace("\\\n", " ")
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in text.splitlines())]


def test_everything_that_it_names_is_there():
    found = dict(steps())
    assert found["COPY"] == ".git .git"  # nothing that a run has made
    (start,) = re.findall(r'"/opt/ssml/(.*?)"', found["ENTRYPOINT"])
    assert os.access(ROOT / start, os.X_OK)
    installed = " ".join(rest for word, rest in steps() if word == "RUN")
    assert "make .venv/installed" in installed and "python3-venv" in installed


@pytest.fixture
def open_folder():
    """A folder into which every user may look, unlike pytest's."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.slow
def test_its_steps_serve_a_user_without_a_name_and_a_home(open_folder):
    if not project.ORDINARY:
        pytest.skip("needs root, and setpriv, to be another user")
    source, home, work = (open_folder / name for name in ("source", "opt/ssml", "work"))
    here = project.checkout(source)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, source)
    here.commit("the rest")
    home.mkdir(parents=True)
    shutil.copytree(source / ".git", home / ".git")
    clean = {"PATH": "/usr/bin:/bin", "GIT_CONFIG_SYSTEM": str(open_folder / "gitconfig")}
    runs = [rest for word, rest in steps() if word == "RUN"]
    for rest in runs:
        if rest.startswith("git "):
            subprocess.run(rest, shell=True, cwd=home, env=clean, check=True)
    assert (home / "Makefile").exists() and not (home / "data").exists()

    # packages come from here, in place of the steps with pip, as they need a network
    command = [sys.executable, "-m", "venv", "--without-pip", ".venv"]
    subprocess.run(command, cwd=home, check=True)
    (site,) = home.glob(".venv/lib/python*/site-packages")
    (site / "here.pth").write_text("\n".join(p for p in sys.path if p.endswith("site-packages")))
    with (home / ".venv/bin/activate").open("a") as file:
        file.write((ROOT / "profiles/activate").read_text())
    for tool in ("snakemake", "dvc"):
        _, _, lines = (project.BIN / tool).read_text().partition("\n")
        script = f"#!{home}/.venv/bin/python\n{lines}"
        (home / ".venv/bin" / tool).write_text(script)
        (home / ".venv/bin" / tool).chmod(0o755)

    work.mkdir()
    os.chown(work, 12345, 12345)
    user = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"]
    user += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]

    def start(*words: str) -> str:
        command = [*user, str(home / "profiles/container/start"), *words]
        environment = clean | {"HOME": "/nonexistent"}
        done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    assert "scenes" in start("snakemake", "-n")
    assert (work / "params.yaml").read_text() == (home / "params.yaml").read_text()
    start("snakemake", "--cores", "1", "data/scenes/test2/0000.jsonl")
    assert "data/scenes" not in start("dvc", "status")
