"""The pipeline killed in the middle of everything, gone on with, ends as if nothing had been."""

import json

import pytest

from tests import disk, killing
from tests.killing import campaign, draw, outcome
from tests.project import copied

POINTS = 6


def test_the_points_of_a_seed_are_the_same_and_of_every_kind():
    points = [point for point, _ in zip(draw(0), range(100), strict=False)]
    assert points == [point for point, _ in zip(draw(0), range(100), strict=False)]
    assert {point.how for point in points} == set(killing.HOW)
    assert {point.driver for point in points} == set(killing.DRIVERS)
    assert {point.whom for point in points} == {"group", "stage", "driver"}


@pytest.mark.slow
def test_killed_at_drawn_points_the_results_are_the_same(tmp_path, finished_small):
    """Files, and every number in MLflow. `python -m tests.killing` tries more."""
    undisturbed = outcome(copied(finished_small, tmp_path / "undisturbed"))
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed/undisturbed.json").write_text(json.dumps(undisturbed))
    campaign(tmp_path / "killed", points=POINTS, seed=1, each=3)
    rows = [json.loads(line) for line in (tmp_path / "killed/log.jsonl").read_text().splitlines()]
    assert sum(row.get("struck", False) for row in rows) == POINTS
    assert any(row.get("code") == -9 for row in rows)
    tracebacks = [row["traceback"] for row in rows if row.get("how", "interrupt") != "interrupt"]
    assert [traceback for traceback in tracebacks if traceback] == []
    compared = [row["different"] for row in rows if "different" in row]
    assert len(compared) >= 2 and all(row == {"files": [], "tracked": []} for row in compared)


@pytest.mark.slow
def test_a_disk_that_fills_up_stops_with_one_line_and_goes_on(tmp_path):
    """On a file system of its own, in which the mixtures have no room at first."""
    folder = tmp_path / "disk"
    with disk.mounted(folder, "64m") as mounted:
        if not mounted:
            pytest.skip("needs root, to mount a small disk")
        project = killing.small(folder / "project")
        target = "data/mixtures/dev/0000.tar"
        project.snakemake("--quiet", "all", "--", "data/scenes/dev/0000.jsonl")
        with disk.full(folder, room=96 * 1024):
            printed = project.snakemake(target, fails=True)
        assert "0000.tar: cannot be written (No space left on device)" in printed
        assert not (project.folder / target).exists()
        project.run(*killing.UNLOCK)
        project.snakemake("--quiet", "all", "--", target)
        made = {path.name for path in (project.folder / target).parent.iterdir()}
        assert made == {"0000.tar", "0000.tar.versions.json"}


def test_the_runs_of_two_folders_are_compared_by_what_they_hold():
    """A difference would be seen: the comparison is no formality."""
    wanted = {"files": {"a": "1", "b": "2"}, "tracked": {"x": 1}}
    found = {"files": {"a": "1", "b": "3", "c": "4"}, "tracked": {"x": 2}}
    assert killing.differences(found, wanted) == {"files": ["b", "c"], "tracked": ["x"]}
