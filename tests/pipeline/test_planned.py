"""A job compares its code with the digest it was planned with, at its start and at its end."""

import os
import subprocess
import sys

import pytest

from pipeline import arguments, planned
from ssml.config.params import load
from ssml.config.uses import uses
from ssml.files import provenance
from tests import project
from tests.conftest import ROOT

WORDS = "pipeline.scenes: its code was edited since this run was planned; run again"


@pytest.fixture
def job(tmp_path):
    """Runs the stage `scenes` where there is no corpus: that is the error of one that starts."""
    (tmp_path / "params.yaml").write_text((ROOT / "tests/params.yaml").read_text())

    def run(**environment):
        done = subprocess.run(
            [sys.executable, "-m", "pipeline.scenes", "test2", "0"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 2 and not done.stdout
        return done.stderr

    return run


def test_a_job_starts_with_the_code_it_was_planned_with(job):
    digest = provenance.code("pipeline.scenes")
    assert "manifest.csv: cannot be read" in job()
    assert "manifest.csv: cannot be read" in job(SSML_CODE=digest)
    assert job(SSML_CODE="0123") == f"error: {WORDS}\n"


def test_a_job_whose_code_was_edited_before_its_end_fails(monkeypatch, capsys):
    monkeypatch.setattr(arguments, "_last", [])
    monkeypatch.setenv(planned.PLANNED, provenance.code("pipeline.scenes"))
    argv = ["scenes.py", "test2", "0", "--params", str(ROOT / "tests/params.yaml")]
    monkeypatch.setattr(sys, "argv", argv)

    def main():
        arguments.parse("", "set", "shard")
        monkeypatch.setattr(provenance, "code", lambda *_: "edited")

    with pytest.raises(SystemExit) as caught:
        arguments.run(main)
    assert caught.value.code == 2 and WORDS in capsys.readouterr().err


@pytest.mark.slow
def test_an_edit_while_a_run_is_under_way_leaves_no_result(finished, tmp_path):
    """It is taken back before the end: the results would have been of the edited code."""
    here = project.copied(finished, tmp_path / "copy")
    before = here.digests()
    command = ["snakemake", "--cores", "1", "--forcerun", "separate", "--", "results"]
    running = subprocess.Popen(
        [*project.ORDINARY, *command],
        cwd=here.folder,
        env=here.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    for line in running.stdout:
        if "Finished jobid" in line:  # the first separation; all scores are still to come
            break
    path = here.folder / "ssml/evaluation/metrics.py"
    text = path.read_text()
    path.write_text(f"{text}\nEDITED = True\n")
    said = running.communicate()[0]
    path.write_text(text)
    assert running.returncode and "pipeline.score: its code was edited since" in said
    here.snakemake("results")
    assert here.changed(before) == set()
    here.run("dvc", "repro")
    here.assert_settled()


def test_the_digest_of_a_job_is_that_of_the_snakefile():
    """Of every stage: what it chooses depends on the variant or the method alone."""
    params = load(ROOT / "tests/params.yaml")
    for stage in ("score", "transcribe", "corpus"):
        some = next(iter(params.separate.methods))
        assert uses(params, stage, some) == uses(params, stage)
