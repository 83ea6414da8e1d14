"""The same seed, the same bits: by both drivers, with four workers, in shards of any size."""

import hashlib
import tarfile
from pathlib import Path

import pytest
import yaml

from tests.killing import small
from tests.project import IDS, Project

pytestmark = pytest.mark.slow


def made(project: Project) -> dict[str, str]:
    """What the stages made, less MLflow's own names of the runs."""
    return {name: digest for name, digest in project.digests().items() if name not in IDS}


def members(folder: Path) -> dict[str, str]:
    """The digest of every member of the shards in `folder`."""
    found = {}
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                file = tar.extractfile(member)
                assert file and member.name not in found
                found[member.name] = hashlib.sha256(file.read()).hexdigest()
    return found


def test_four_workers_of_snakemake_make_the_same_as_dvc(finished_small, tmp_path):
    four = small(tmp_path / "project")
    four.run("snakemake", "--cores", "4", "--quiet", "all")
    assert made(four) == made(finished_small)


@pytest.mark.parametrize("size", [1])
def test_shards_of_another_size_hold_the_same(finished_small, tmp_path, size):
    """Scenes, audio, the training that reads them, and its checkpoint's weights."""
    other = small(tmp_path / "project")
    path = other.folder / "params.yaml"
    values = yaml.safe_load(path.read_text())
    values["mix"]["shard"] = size
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    model = "models/learned-sdr.safetensors"
    other.run("snakemake", "--cores", "2", "--quiet", "all", "--", "mixtures", model)
    for name in ("train", "dev", "test2"):
        place = f"data/mixtures/{name}"
        assert members(other.folder / place) == members(finished_small.folder / place)
        assert scenes(other, name) == scenes(finished_small, name)
    for name in (model, "models/learned-sdr.history.csv"):
        assert (other.folder / name).read_bytes() == (finished_small.folder / name).read_bytes()


def scenes(project: Project, name: str) -> str:
    return "".join(
        path.read_text()
        for path in sorted((project.folder / f"data/scenes/{name}").glob("*.jsonl"))
    )
