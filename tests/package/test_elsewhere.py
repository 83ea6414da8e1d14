"""The set-up in a folder that was moved or copied, without git, and for a user without a home."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import project
from tests.conftest import ROOT


def environment(folder: Path) -> None:
    """A project with an environment as `make` leaves it, but for its packages."""
    (folder / "pipeline").mkdir(parents=True)
    for name in ("Makefile", "pipeline/moved.py", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder / name)
    command = [sys.executable, "-m", "venv", "--without-pip", ".venv"]
    subprocess.run(command, cwd=folder, check=True)
    (site,) = folder.glob(".venv/lib/python*/site-packages")
    (site / "__editable__.thing.pth").write_text(f"{folder}\n")
    tool = folder / ".venv/bin/tool"
    tool.write_text(f"#!{folder}/.venv/bin/python\nimport thing; print(thing.__file__)\n")
    tool.chmod(0o755)
    (folder / "thing.py").touch()
    (folder / ".venv/installed").touch()


def make(folder: Path) -> None:
    subprocess.run(["make", ".venv/installed"], cwd=folder, check=True, capture_output=True)


def said_by(folder: Path) -> str:
    """What the folder's tool prints: which file it runs."""
    command = [str(folder / ".venv/bin/tool")]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_an_environment_is_mended_where_its_folder_was_moved_or_copied(tmp_path):
    first, inside = tmp_path / "first", tmp_path / "first/inside"
    environment(first)
    make(first)
    assert said_by(first) == f"{first}/thing.py"
    shutil.copytree(first, tmp_path / "copied", symlinks=True)
    shutil.move(tmp_path / "copied", inside)
    make(inside)
    assert said_by(inside) == f"{inside}/thing.py"
    moved = tmp_path / "moved"
    shutil.move(inside, moved)
    make(moved)
    assert said_by(moved) == f"{moved}/thing.py" and said_by(first) == f"{first}/thing.py"
    assert f"VIRTUAL_ENV={moved}" in (moved / ".venv/bin/activate").read_text().replace('"', "")


def test_an_environment_behind_a_link_stays_its_owners(tmp_path):
    environment(tmp_path / "first")
    second = tmp_path / "second"
    shutil.copytree(tmp_path / "first", second, ignore=lambda *_: [".venv"])
    (second / ".venv").symlink_to(tmp_path / "first/.venv")
    before = (tmp_path / "first/.venv/bin/activate").read_bytes()
    make(second)
    assert (tmp_path / "first/.venv/bin/activate").read_bytes() == before


def test_a_release_without_git_has_both_drivers(tmp_path):
    here = project.checkout(tmp_path / "release")
    shutil.rmtree(here.folder / ".git")
    assert "not a git repository" in here.run("dvc", "status", fails=True)
    shutil.copy(ROOT / "Makefile", here.folder)
    here.run("make", "here")
    assert "new:                params.yaml" in here.run("dvc", "status")
    assert "snakemake mixtures -q all" in here.run("dvc", "repro", "--dry", "mixtures")


@pytest.mark.slow
def test_a_user_without_name_and_home_has_both_drivers(tmp_path):
    """The end of `activate` gives them what they ask for."""
    if not project.ORDINARY:
        pytest.skip("needs root, and setpriv, to be another user")
    here = project.checkout(tmp_path / "project")
    tmp_path.chmod(0o755)
    for path in [here.folder, *here.folder.rglob("*")]:
        os.chown(path, 12345, 12345)
    # it may read root's Python, but write to nothing that is not its own
    user = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"]
    user += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]

    clean = ["env", "-i", f"PATH={project.BIN}:/usr/bin:/bin", "HOME=/nonexistent"]

    def run(text, fails=False):
        done = subprocess.run(
            [*user, *clean, "sh", "-c", text],
            cwd=here.folder,
            capture_output=True,
            text=True,
        )
        assert (done.returncode != 0) == fails, done.stderr
        return done.stdout + done.stderr

    assert "Permission denied: '/nonexistent'" in run("snakemake -n", fails=True)
    assert "uid not found" in run("dvc status", fails=True)
    activated = f". {ROOT / 'profiles/activate'} && "
    assert "scenes" in run(f"{activated} snakemake -n")
    run(f"{activated} snakemake --cores 1 data/scenes/test2/0000.jsonl")
    assert "data/scenes" not in run(f"{activated} dvc status")
