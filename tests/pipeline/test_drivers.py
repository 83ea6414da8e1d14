"""Snakemake, DVC and git agree: after a cut lock, in an older commit, in a fresh clone."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.killing import finish
from tests.project import BIN, Project, copied

pytestmark = pytest.mark.slow


@pytest.fixture
def project(finished, tmp_path) -> Project:
    return copied(finished, tmp_path / "project")


@pytest.mark.parametrize("end", ["", "nfiles: 1", "outs:\n    - path", "iter"])
def test_a_lock_of_dvc_that_was_cut_is_written_anew(project, end):
    """DVC was killed in the middle of it: most such parts it refuses, one here it does not."""
    lock, before = project.folder / "dvc.lock", project.digests()
    whole = lock.read_text()
    lock.write_text(whole[: whole.index(end) + len(end)])
    finish(project, "dvc")
    assert project.changed(before) == set()
    project.assert_settled()


def test_an_older_commit_and_its_data_are_settled(project):
    """And back: `git checkout` with `dvc checkout` brings results that need no job."""
    project.commit("now")
    now = project.digests()
    project.edit("params.yaml", "sdr_taps: 32", "sdr_taps: 16")
    assert project.jobs()["score"] == 8
    project.run("dvc", "repro", "-q")
    project.commit("fewer taps")
    project.run("git", "checkout", "-q", "HEAD~1")
    project.run("dvc", "checkout", "-q")
    assert project.digests() == now
    project.assert_settled()
    project.run("git", "checkout", "-q", "-")
    project.run("dvc", "checkout", "-q")
    project.assert_settled()


@pytest.mark.parametrize("python", ["this", "3.11", "3.12", "3.13", "3.14"])
def test_a_clone_with_the_data_has_nothing_to_do(pushed, tmp_path, python):
    """Whatever the folder of its environment, and whichever version of Python made the data."""
    programs = BIN if python == "this" else environment(tmp_path / "environment", python)
    clone = Project(tmp_path / "clone", programs)
    subprocess.run(["git", "clone", "-q", str(pushed.folder), str(clone.folder)], check=True)
    clone.run("dvc", "pull", "-q")
    clone.assert_settled()


@pytest.fixture(scope="module")
def pushed(finished, tmp_path_factory):
    """The finished project, committed, with its data in a remote."""
    project = copied(finished, tmp_path_factory.mktemp("pushed") / "project")
    project.run("dvc", "remote", "add", "-f", "-d", "here", str(project.folder.parent / "remote"))
    project.run("dvc", "push", "-q")
    project.commit("results")
    return project


def environment(folder: Path, version: str) -> Path:
    """The commands of a new environment in `folder`, with the packages that this Python has."""
    python = shutil.which(f"python{version}")
    packages = sysconfig.get_path("purelib") if sys.version.startswith(version) else ""
    needs = [str(python), "-c", "import dvc, mlflow, snakemake, torch"]
    paths = {**os.environ, "PYTHONPATH": packages}
    if not python or subprocess.run(needs, env=paths, stderr=subprocess.DEVNULL).returncode:
        pytest.skip(f"needs Python {version} with the project's packages")
    subprocess.run([python, "-m", "venv", "--without-pip", str(folder)], check=True)
    its_own = subprocess.check_output(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
    )
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "packages.pth").write_text(packages or its_own)
    for name, module in (("snakemake", "snakemake.cli"), ("dvc", "dvc.cli")):
        script = folder / "bin" / name
        lines = f"#!{folder}/bin/python", f"from {module} import main", "raise SystemExit(main())"
        script.write_text("\n".join(lines))
        script.chmod(0o755)
    return folder / "bin"
