"""Own code beside params.yaml, and code that is added to the package: only its own jobs run."""

import pytest
import yaml

from ssml.files.io import read_json
from tests.project import Project, copied, tracked_runs

pytestmark = pytest.mark.slow
MINE = '''"""A network and a loss."""

import torch
from torch import nn

from ssml.iva.losses import coherence


class Powers(nn.Module):
    def __init__(self, bins: int, start: float = 0.4) -> None:
        super().__init__()
        self.own, self.frame = (nn.Parameter(torch.full((bins, 1), x)) for x in (0.1, start))

    def forward(self, power, memory=None):
        p = power / power.mean((-2, -1), keepdim=True) + 1e-5
        own, frame = self.own.clamp(0, 1), self.frame.clamp(0, 1)
        return p**-own * p.mean(-2, keepdim=True) ** -frame, memory


def squared(est, ref):
    return coherence(est, ref) ** 2


def cauchy(power):
    return 1 / (1e-9 + power.sum(-2, keepdim=True))
'''
WATCHED = [  # in dvc.yaml, by its stages train, evaluate and report
    ("pipeline/train.py, ", "pipeline/train.py, mine.py, "),
    ("[Snakefile, pipeline, ", "[Snakefile, pipeline, mine.py, "),
    ("      - params.yaml\n", "      - params.yaml\n      - mine.py\n"),
]
ENDS = {"report": 1, "listen": 1, "track": 1, "all": 1}


@pytest.fixture
def project(finished, tmp_path) -> Project:
    return copied(finished, tmp_path / "project")


def use_own_code(project: Project) -> None:
    (project.folder / "mine.py").write_text(MINE)
    path = project.folder / "params.yaml"
    values = yaml.safe_load(path.read_text())
    variants, methods = values["train"]["variants"], values["separate"]["methods"]
    network = {"name": "mine:Powers", "start": 0.3}
    variants["powers"] = variants["learned-sdr"] | {"network": network}
    variants["squared"] = variants["learned-sdr"] | {"loss": "mine:squared"}
    for model in ("powers", "squared", "mine:cauchy"):
        run = {"rule": "iss", "iterations": 4}
        methods[model.removeprefix("mine:")] = {"model": model, **run}
    path.write_text(yaml.safe_dump(values, sort_keys=False))


def test_a_network_a_loss_and_a_source_model_run_their_own_jobs_alone(project):
    use_own_code(project)
    assert project.jobs() == {"train": 2, "separate": 6, "score": 6, **ENDS}
    refused = project.run("dvc", "repro", fails=True)
    assert "dvc.yaml: does not name mine.py; add it to the deps of 'train'" in refused
    for edit in WATCHED:
        project.edit("dvc.yaml", *edit)
    before = project.digests()
    project.run("dvc", "repro")
    project.assert_settled()
    assert {name for name in before if project.digests()[name] != before[name]} <= {
        name for name in before if name.startswith(("results/summary", "results/tr", "reports/"))
    }
    card = read_json(project.folder / "models/powers.json")
    assert card["network"] == {"name": "mine:Powers", "start": 0.3}
    assert {"train:powers", "train:squared"} <= tracked_runs(project, "tiny/train").keys()

    project.edit("mine.py", "** 2", "** 3")
    assert project.jobs() == {"train": 1, "separate": 2, "score": 2, **ENDS}
    assert "up to date" not in project.run("dvc", "status")
    project.edit("mine.py", "** 3", "** 2")
    project.edit("mine.py", "1e-5", "1e-4")
    assert project.jobs() == {"train": 1, "separate": 2, "score": 2, **ENDS}
    project.edit("mine.py", "1e-4", "1e-5  # of silence")
    project.edit("mine.py", "1e-9", "1e-8")
    assert project.jobs() == {"separate": 2, "score": 2, **ENDS}
    project.edit("mine.py", "1e-8", "1e-9")
    assert "Nothing to be done" in project.snakemake("-n")
    project.run("dvc", "repro", "-q")
    project.assert_settled()
    project.edit("mine.py", "class Powers", "class Power")
    words = "train.variants.powers.network.name: mine.py: defines no Powers; it defines"
    assert words in project.snakemake("-n", fails=True)


def test_a_network_that_is_added_to_the_package_reruns_nothing(project):
    project.folder.joinpath("ssml/iva/models/powers.py").write_text(MINE)
    models = "ssml/iva/models/__init__.py"
    project.edit(models, "from .spherical", "from .powers import Powers\nfrom .spherical")
    project.edit(models, '    "gru": Gru,\n', '    "gru": Gru,\n    "powers": Powers,\n')
    project.edit("ssml/config/names.py", 'Literal["glu", ', 'Literal["powers", "glu", ')
    assert "Nothing to be done" in project.snakemake("-n")


@pytest.mark.parametrize(
    "name, old, new, jobs",
    [
        ("models/glu.py", "-2)", "-2) * 1", {"train": 2, "separate": 4, "score": 4}),
        ("models/gru.py", "nn.GRU", "torch.nn.GRU", {}),
        ("losses.py", "clamp=30", "clamp=20", {"train": 1, "separate": 2, "score": 2}),
    ],
)
def test_an_edit_reruns_the_trainings_that_use_it(project, name, old, new, jobs):
    """Classical methods are separated by the same stage, and without any network."""
    project.edit(f"ssml/iva/{name}", old, new)
    found = project.jobs()
    assert {rule: n for rule, n in found.items() if rule not in (*ENDS, "transcribe")} == jobs
