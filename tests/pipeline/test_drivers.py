"""Snakemake, DVC and git agree: after a cut lock, in an older commit, in a fresh clone."""

import pytest

from tests.killing import finish
from tests.project import Project, copied

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


def test_a_fresh_clone_with_the_data_has_nothing_to_do(project, tmp_path):
    project.run("dvc", "remote", "add", "-f", "-d", "here", str(tmp_path / "remote"))
    project.run("dvc", "push", "-q")
    project.commit("results")
    project.run("git", "clone", "-q", str(project.folder), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    clone.run("dvc", "pull", "-q")
    clone.assert_settled()
