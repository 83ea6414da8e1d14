"""The README and the docs name what exists, and their tables are those of docs/results/."""

import importlib
import re
import shutil
from pathlib import Path

import pytest
import yaml

from pipeline.publish import FOLDER, documents
from ssml.config import params
from ssml.files import io
from ssml.report.published import MARKED, Published
from ssml.samples import MIXTURE
from tests.cli.shell import run
from tests.conftest import ROOT

TEXTS = [*documents(), *(ROOT / name for name in ("CONTRIBUTING.md", "CHANGELOG.md"))]
FOLDERS = ("ssml", "tests", "pipeline", "benchmarks", "presets", "profiles", "docs")
PATH = re.compile(rf"(?<![\w/.-])(?:{'|'.join(FOLDERS)})/[\w./*-]*")
MODULE = re.compile(r"(?<![\w/.-])(?:ssml|pipeline|tests|benchmarks)(?:\.[A-Za-z_]\w*)+")
EXPERIMENTS = {"ssml/train", "ssml/evaluate"}  # in MLflow
named = pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))


def ends(found: str) -> str:
    return found.rstrip(".")


@pytest.mark.parametrize(
    "path",
    [*TEXTS, ROOT / "params.yaml", *sorted((ROOT / "presets").iterdir()), ROOT / "Snakefile"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_every_path_exists(path):
    for found in set(map(ends, PATH.findall(path.read_text()))) - EXPERIMENTS:
        assert list(ROOT.glob(found)), found


@named
def test_every_module_and_name_exists(path):
    for found in set(MODULE.findall(path.read_text())):
        home, _, name = found.rpartition(".")
        if (ROOT / home.replace(".", "/") / f"{name}.py").is_file() or name in ("csv", "md"):
            continue
        try:
            importlib.import_module(found)
        except ModuleNotFoundError:
            assert hasattr(importlib.import_module(home), name), found


@named
def test_links_lead_to_a_heading(path):
    for target, heading in re.findall(r"\]\(([\w./-]*)#([\w-]+)\)", path.read_text()):
        lines = (path.parent / target if target else path).read_text().splitlines()
        heads = [re.sub(r"[^\w -]", "", x.lstrip("# ")).lower() for x in lines if x[:1] == "#"]
        assert heading in {head.replace(" ", "-") for head in heads}, f"{target}#{heading}"


def test_the_tutorial_shows_what_the_sample_gives(capsys, monkeypatch, tmp_path):
    """All but the time that it took."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(MIXTURE, tmp_path)
    tutorial = re.sub(r"factor [\d.]+", "", (ROOT / "docs/tutorial.md").read_text())
    for words in (["separate", MIXTURE.name, "out"], ["demo"]):
        code, out, _ = run(capsys, *words)
        assert code == 0 and re.sub(r"factor [\d.]+", "", out) in tutorial


@named
def test_no_commit_is_named(path):
    """A figure stands with its command, date and versions."""
    for found in re.findall(r"(?<![\w-])[0-9a-f]{7,40}(?![\w-])", path.read_text()):
        assert found.isdigit(), found


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_tables_are_those_of_the_files(path):
    text = path.read_text()
    assert Published(FOLDER, path.parent).render(text) == text, "run: python -m pipeline.publish"


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_table_says_where_it_is_from(path):
    """A run's tables may share one line: that of the run or of one of its files."""
    marked = [match[2].split() for match in MARKED.finditer(path.read_text())]
    said = {name for kind, name, *_ in marked if kind in ("source", "headline")}
    for kind, name, *_ in marked:
        assert kind == "source" or name in said, f"{kind} {name}"


def test_every_file_has_a_source_and_every_source_a_file():
    rows = io.read_table(FOLDER / "sources.csv")
    files = {path.stem for path in FOLDER.glob("*.csv")} - {"sources"}
    assert {row["file"] for row in rows} == files
    for row in rows:
        assert row["date"] and row["versions"], row["file"]
        assert row["command"] or row["conditions"], row["file"]


def test_the_defaults_tables_are_of_the_methods_of_params_yaml():
    methods = params.load(ROOT / "params.yaml").separate.methods
    found = {row["method"]: row for row in io.read_table(FOLDER / "synthetic.csv")}
    for name, method in methods.items():
        assert found[name]["rule"] == method.rule
        assert int(found[name]["iterations"]) == method.iterations


@pytest.mark.parametrize("model", ["learned-sdr", "learned-coherence"])
def test_the_study_and_the_models_own_table_agree(model):
    study = {(r["set"], r["method"]): r for r in io.read_table(FOLDER / "study.csv")}
    for row in io.read_table(ROOT / f"ssml/pretrained/{model}.csv"):
        published = study[row["set"], row["method"]]
        for name in ("si_sdr", "sdr", "stoi"):
            assert abs(float(row[name]) - float(published[name])) < 1e-4


@pytest.mark.parametrize("name, most", [("README.md", 100), ("docs/results.md", 150)])
def test_first_pages_stay_short(name: str, most: int):
    assert len(Path(ROOT / name).read_text().splitlines()) <= most


def test_the_hooks_before_a_commit_are_what_make_lint_runs():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    entries = {hook["entry"].removeprefix(".venv/bin/") for hook in hooks}
    (recipe,) = re.findall(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.M)
    lines = {line.strip().removeprefix("$(BIN)/") for line in recipe.splitlines()}
    assert entries == {line.removesuffix(" .") for line in lines}
