"""What the README and the docs tell people to type works."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssml import checkpoint, cli, params
from tests.conftest import ROOT, speechlike

TEXTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SNIPPETS = [
    pytest.param(code, id=f"{path.name}-{i}")
    for path in TEXTS
    for i, code in enumerate(re.findall(r"```python\n(.*?)```", path.read_text(), re.S))
]


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A working folder with a small trained model where the pipeline would put it."""
    monkeypatch.chdir(tmp_path)
    network = checkpoint.build({"name": "glu", "hidden": 8}, 257)
    card = {"network": {"name": "glu", "hidden": 8}, "stft": {"n_fft": 512, "hop": 128}}
    checkpoint.save("models/learned-sdr.safetensors", network.state_dict(), card)


@pytest.mark.parametrize("code", SNIPPETS)
def test_snippets_run_and_separate(code, models):
    names = {}
    exec(code, names)
    est = names["est"]
    assert est.shape == (est.shape[0], 16000) and np.isfinite(est).all()


def commands():
    for path in TEXTS:
        text = path.read_text()
        blocks = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.S))
        cells = "\n".join(re.findall(r"\| `([^`]+)` \|?$", text, re.M))
        for line in (blocks + "\n" + cells).splitlines():
            for command in re.split(r"&&|, then", line.partition("#")[0]):
                if command.strip():
                    yield command.strip()


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_commands_name_what_is_there(command, models):
    words = shlex.split(command)
    if words[0] == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M)
        assert set(words[1:]) <= set(targets)
    elif words[0] == "cp":
        assert params.load(ROOT / words[1]) and words[2] == "params.yaml"
    elif words[0] == "ssml":
        for path, K in (("meeting.wav", 2), ("four-microphones.wav", 4), ("recordings/a.wav", 2)):
            Path(path).parent.mkdir(exist_ok=True)
            soundfile.write(path, speechlike(K, seconds=0.3)[0].T, 16000)
        assert cli.main(words[1:]) == 0
    elif words[0].endswith("snakemake"):
        rules = re.findall(r"^rule (\w+):", (ROOT / "Snakefile").read_text(), re.M)
        named = [word for word in words[1:] if word.isalpha() and word != "all"]
        assert set(named) <= set(rules)
    else:
        assert words[0] in {"export", "source", "dvc", "git", "pip"}, command


def test_the_readmes_table_is_what_the_summary_prints():
    """Its methods are those of params.yaml, and it is whole."""
    (table,) = re.findall(r"<!-- summary -->\n(.*)<!-- /summary -->", TEXTS[0].read_text(), re.S)
    for name in params.load(ROOT / "params.yaml").separate.methods:
        assert f"| {name} |" in table.replace("**", "")
