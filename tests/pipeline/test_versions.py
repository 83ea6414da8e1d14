"""After an upgrade: what the report says, and what the documented command makes anew."""

import pytest

from ssml.config import layout
from ssml.config.params import load
from ssml.files import io, versions
from tests import project


@pytest.mark.slow
def test_an_upgraded_library_reruns_what_it_computed(finished, tmp_path, monkeypatch):
    here = project.copied(finished, tmp_path / "copy")
    monkeypatch.chdir(here.folder)
    made = layout.results(load("params.yaml"))
    assert made and all(versions.read(path) for path in made if path.parent.name != "corpus")
    assert here.run("python", "-m", "pipeline.outdated") == ""
    before = here.digests()
    file = versions.beside(layout.scores("laplace-iss", "test2"))
    assert "the tables mix" not in here.snakemake("-R", "report", "--", "all")
    known = io.read_json(file)
    io.write_json(file, {**known, "libraries": {"numpy": "1.0"}})
    assert "the tables mix results of numpy 1.0 and" in here.snakemake("-R", "report", "--", "all")
    options = here.run("python", "-m", "pipeline.outdated").split()
    assert options == ["--forcerun", str(layout.scores("laplace-iss", "test2"))]
    done = project.jobs(here.snakemake("-n", *options))
    assert done["score"] == 1 and not {"corpus", "mix", "train", "separate"} & done.keys()
    here.snakemake(*options)
    assert here.run("python", "-m", "pipeline.outdated") == ""
    assert here.changed(before) <= {"results/tracked.json", "reports/runs.js"}
