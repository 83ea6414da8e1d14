"""What the README and the docs tell people to type works."""

import importlib.util
import json
import re
import shlex
import shutil
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from snakemake.cli import get_argument_parser

from ssml.cli import main
from ssml.config import params
from ssml.files import own
from ssml.iva import checkpoint, losses
from ssml.separation import export
from tests.conftest import ROOT, speechlike, tiny_model

TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUN = {"make", "cp", "ssml", "export", "source", "dvc", "git", "aws", "snakemake"}
RUN |= {"torchrun", "pip", "pipx", "pre-commit", "python", "python3", "podman"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with recordings, parameters, and a model where the pipeline would put it."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    monkeypatch.setattr(sys, "path", [*sys.path])
    tiny_model("models/learned-sdr.safetensors", 512)
    write_own()
    network = checkpoint.build({"name": "mine:Powers"}, 129)
    card = {"network": {"name": "mine:Powers"}, "stft": {"n_fft": 256, "hop": 64}}
    checkpoint.save("models/powers.safetensors", network.state_dict(), card)
    for path, K in (("meeting.wav", 2), ("four-microphones.wav", 4), ("recordings/a.wav", 2)):
        Path(path).parent.mkdir(exist_ok=True)
        soundfile.write(path, speechlike(K, seconds=0.3)[0].T, 16000)
    yield
    sys.modules.pop("mine", None)


def snippets(path):
    return re.findall(r"```python\n(.*?)```", path.read_text(), re.S)


@pytest.mark.parametrize("path", [path for path in TEXTS if snippets(path)], ids=lambda p: p.name)
def test_snippets_run_in_order_and_separate(path, folder):
    names = {}
    for code in snippets(path):
        if not code.startswith("# "):  # else a file, which others import
            exec(code, names)
    est = np.asarray(names["est"])
    assert est.shape == (len(est), 16000) and np.isfinite(est).all() and est.any()


def write_own():
    """The file of own code that docs/extend.md shows, in the working folder."""
    (code,) = [code for code in snippets(ROOT / "docs/extend.md") if code.startswith("# mine.py")]
    Path("mine.py").write_text(code)


def test_the_parameters_of_own_code_are_valid_and_passed_on(folder):
    fragment = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/extend.md").read_text(), re.S)[0]
    values = yaml.safe_load(Path("params.yaml").read_text())
    known = json.dumps(values["train"]["variants"]["learned-sdr"])
    added = yaml.safe_load(f"learned: &learned {known}\n{fragment}")
    values["train"]["variants"] |= added["train"]["variants"]
    values["separate"]["methods"] |= added["separate"]["methods"]
    variant = params.parse(values).train.variants["powers"]
    assert float(checkpoint.build(variant.network, 9).frame[0].detach()) == pytest.approx(0.3)
    assert losses.find(variant.loss) and own.is_own(variant.loss)


def shell_lines(path):
    """The lines of the blocks that a shell may run; one that goes on in the next is one line."""
    blocks = re.findall(r"```sh\n(.*?)```", path.read_text(), re.S)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]


def commands():
    for path in TEXTS:
        text = path.read_text()
        lines = shell_lines(path)
        rows = [line for line in text.splitlines() if line.startswith("|")]
        lines += [span for row in rows for span in re.findall(r"`([^`]+)`", row) if " " in span]
        for line in lines:
            for command in re.split(r"&&", line.partition("#")[0]):
                words = command.split()
                if words and words[0] in RUN:
                    yield command.strip()


def test_every_line_of_a_shell_block_is_a_command_that_is_checked():
    for path in TEXTS:
        for line in shell_lines(path):
            word = line.split()[0]
            assert word in RUN, f"{path.name}: {line}"


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_commands_do_what_they_say(command, folder, monkeypatch):
    command = re.sub(
        r"\$\(python -m ([\w.]+)\)",
        lambda of: "" if importlib.util.find_spec(of[1]) else "?",
        command,
    )
    words = shlex.split(command)
    if words[0] == "make":
        written = (ROOT / "Makefile").read_text()
        targets = re.findall(r"^([\w-]+):", written, re.M)
        variables = re.findall(r"^(\w+) [:?]=", written, re.M)
        assert {word for word in words[1:] if "=" not in word} <= {*targets, ".venv/installed"}
        assert {word.partition("=")[0] for word in words[1:] if "=" in word} <= set(variables)
    elif words[0] == "cp":
        assert params.load(ROOT / words[1]) and words[2] == "params.yaml"
    elif words[0] == "ssml":
        # for real in test_export: it takes half a minute
        made = {"fs": 16000, "difference": 0.0, "rule": "iss", "iterations": 20}
        monkeypatch.setattr(export, "export", lambda trained, path, iterations, sources, rule: made)
        assert main.main(words[1:]) == (1 if "diff" in words else 0)  # as diff: something differs
    elif words[0] in ("pip", "pipx"):
        assert words[1] in ("install", "download") and len(words) > 2
    elif words[0] in ("python", "python3"):
        assert importlib.util.find_spec(words[2])
    elif words[0] == "snakemake":
        rules = re.findall(r"^rule (\w+):", (ROOT / "Snakefile").read_text(), re.M)
        given = get_argument_parser().parse_args(words[1:])
        named = {*given.targets, *(given.forcerun or ())}
        assert {name for name in named if "/" not in name} <= set(rules)
    else:
        assert words[0] in RUN, command


def test_every_extra_that_pip_is_told_of_exists():
    """In the README, the docs, the Makefile and what the package itself advises."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {}
    for path in [*TEXTS, ROOT / "Makefile", *(ROOT / "ssml").rglob("*.py")]:
        for group in re.findall(r"""['"](?:ssml|\.)\[([^\]{}]+)\]""", path.read_text()):
            named |= dict.fromkeys(group.split(","), path.name)
    assert named.keys() >= {"export", "asr", "peers", "pipeline", "dev"}
    for extra, where in named.items():
        assert extra in project["optional-dependencies"], f"{where}: {extra}"


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_links_lead_to_files(path):
    for target in re.findall(r"\[[^\]]+\]\(([\w./-]+)\)", path.read_text()):
        assert (path.parent / target).exists(), target
