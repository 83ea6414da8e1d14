"""Times are Snakemake's own, added up, and of the jobs of this workflow alone."""

import math
import re

import pytest

from ssml.config import layout
from ssml.report import durations
from tests.conftest import ROOT

HEAD = "s\th:m:s\tmax_rss\tmean_load\tcpu_time\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(stage, *parts, seconds=1.0, memory="100.5", cpu="0.5"):
    path = layout.timing(stage, *parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEAD}{seconds}\t0:00:01\t{memory}\t50.0\t{cpu}\n")


def test_a_stage_is_the_sum_of_its_jobs():
    write("corpus", seconds=3)
    write("score", "laplace-iss", "test2", seconds=2, cpu="1.5")
    write("score", "laplace-iss", "test3", seconds=5, cpu="4", memory="220")
    found = durations.stages(["laplace-iss", "test2", "test3"])
    assert found["score"] == (2, 7, 5, 5.5, 220)
    assert found["corpus"] == (1, 3, 3, 0.5, 100.5)
    assert list(found) == ["corpus", "score"]


def test_shards_have_numbers_and_other_workflows_jobs_are_left_out():
    write("mix", "test2", "0000")
    write("mix", "test2", "0001")
    write("mix", "test9", "0000")
    assert durations.stages(["test2"])["mix"].jobs == 2


def test_what_was_not_measured_is_no_number():
    write("train", "quick", seconds=0.4, memory="NA", cpu="-")
    write("train", "slow", memory="80")
    found = durations.stages(["quick", "slow"])["train"]
    assert found.seconds == 1.4 and found.memory == 80 and math.isnan(found.cpu)
    assert durations.together([layout.timing("report")]) is None


def test_every_rule_that_runs_a_script_is_measured_but_the_last():
    rules = re.split(r"\nrule ", (ROOT / "Snakefile").read_text())[1:]
    run = {text.split(":")[0]: text for text in rules if "STAGE +" in text}
    assert list(layout.STAGES) == sorted(run, key=layout.STAGES.index)
    for name, text in run.items():
        assert (f'layout.timing("{name}"' in text) == (name != "track")  # it tells of the others
