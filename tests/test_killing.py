"""The pipeline killed in the middle of everything, gone on with, ends as if nothing had been."""

import json
import subprocess

import pytest

from tests import killing
from tests.killing import campaign, draw


def test_the_points_of_a_seed_are_the_same_and_of_every_kind():
    points = [point for point, _ in zip(draw(0), range(100), strict=False)]
    assert points == [point for point, _ in zip(draw(0), range(100), strict=False)]
    assert {point.how for point in points} == set(killing.HOW)
    assert {point.driver for point in points} == set(killing.DRIVERS)
    assert {point.whom for point in points} == {"group", "stage", "driver"}


@pytest.mark.slow
def test_killed_at_drawn_points_the_results_are_the_same(tmp_path):
    """Files, and every number in MLflow. `python -m tests.killing` tries more."""
    campaign(tmp_path / "killed", points=15, seed=1, each=8)
    rows = [json.loads(line) for line in (tmp_path / "killed/log.jsonl").read_text().splitlines()]
    assert sum("how" in row for row in rows) == 15
    assert any(row.get("code") == -9 for row in rows)
    assert not any(row.get("traceback") for row in rows if row.get("how") != "interrupt")
    compared = [row["different"] for row in rows if "different" in row]
    assert compared == [{"files": [], "tracked": []}] * 2


@pytest.mark.slow
def test_a_disk_that_fills_up_stops_with_one_line_and_goes_on(tmp_path):
    """On a file system of its own, in which the mixtures have no room at first."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs root, to mount a small disk")
    try:
        project = killing.small(disk / "project")
        target = "data/mixtures/dev/0000.tar"
        project.snakemake("--quiet", "all", "--", "data/scenes/dev/0000.jsonl")
        ballast = disk / "ballast"
        with open(ballast, "wb", buffering=0) as file:
            free = int(subprocess.check_output(["stat", "-f", "-c", "%f", str(disk)])) * 4096
            file.write(bytes(free - 96 * 1024))
        printed = project.snakemake(target, fails=True)
        assert "0000.tar: cannot be written (No space left on device)" in printed
        assert not (project.folder / target).exists()
        ballast.unlink()
        project.run(*killing.UNLOCK)
        project.snakemake("--quiet", "all", "--", target)
        assert [path.name for path in (project.folder / target).parent.iterdir()] == ["0000.tar"]
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_the_runs_of_two_folders_are_compared_by_what_they_hold():
    """A difference would be seen: the comparison is no formality."""
    wanted = {"files": {"a": "1", "b": "2"}, "tracked": {"x": 1}}
    found = {"files": {"a": "1", "b": "3", "c": "4"}, "tracked": {"x": 2}}
    assert killing.differences(found, wanted) == {"files": ["b", "c"], "tracked": ["x"]}
