"""What is installed: the wheel holds what separation needs, and works where nothing else is."""

import os
import re
import shutil
import site
import subprocess
import sys
import tarfile
import zipfile

import numpy as np
import pytest
import soundfile
import torch

import ssml
from ssml.config import layout
from ssml.data.shards import ShardReader
from ssml.files.io import read_audio, read_table
from ssml.iva.losses import pit, si_sdr_matrix
from tests import stages
from tests.conftest import ROOT, tiny_model

pytestmark = pytest.mark.slow
# what the workflow, the plots and the export need, and separation does not
NOT_NEEDED = [
    *("dvc", "fast_bss_eval", "jinja2", "jiwer", "matplotlib", "mlflow", "onnx", "onnxruntime"),
    *("faster_whisper", "pocketsphinx", "pyroomacoustics", "pystoi", "snakemake"),
    *("transformers", "yaml"),  # and pydantic, which typer needs
]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with the wheel and the sdist, built without a network, of a copy of the project."""
    folder = tmp_path_factory.mktemp("build")
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "ssml", folder / "ssml", ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE", "CITATION.cff", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder)
    tiny_model(folder / "ssml/pretrained/tiny.safetensors")
    command = "from setuptools import build_meta as b; b.build_wheel('dist'); b.build_sdist('dist')"
    (folder / "dist").mkdir()
    subprocess.run([sys.executable, "-c", command], cwd=folder, check=True, capture_output=True)
    return folder / "dist"


def test_the_wheel_holds_the_package_and_nothing_else(built):
    (wheel,) = built.glob("*.whl")
    assert wheel.name == f"ssml_separation-{ssml.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = archive.read(f"ssml_separation-{ssml.__version__}.dist-info/METADATA").decode()
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "ssml").rglob("*.py")}
    assert sources <= names
    data = {"py.typed", "pretrained/tiny.safetensors", "pretrained/tiny.json"}
    assert {f"ssml/{name}" for name in data} <= names
    kept = {str(path.relative_to(ROOT)) for path in (ROOT / "ssml").rglob("*.j2")}
    assert kept and kept <= names
    assert {name.split("/")[0] for name in names} == {
        "ssml",
        f"ssml_separation-{ssml.__version__}.dist-info",
    }
    needed = re.findall(r"^Requires-Dist: ([\w-]+)[^;\n]*$", metadata, re.M)
    assert {"torch", "numpy", "soundfile"} <= set(needed)
    assert not {"mlflow", "matplotlib", "pyroomacoustics", "onnx"} & set(needed)
    assert not {"pydantic", "pyyaml"} & set(needed)
    extras = set(re.findall(r"^Provides-Extra: (\w+)$", metadata, re.M))
    assert extras == {
        "pipeline",
        "asr",
        "cluster",
        "plot",
        "export",
        "peers",
        "docs",
        "meeteval",
        "pesq",
        "dev",
    }


def test_the_sdist_holds_the_licence_and_the_readme(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", "ssml/cli/main.py"} <= names


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """A function that runs `ssml WORDS`, in a folder, of the wheel alone: its output's lines."""
    place = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    (packages,) = place.glob("lib/python*/site-packages")
    # What it depends on comes from here, as to install torch takes minutes; a link to this project
    # would be a .pth, not followed. What separation does not need cannot be imported.
    (packages / "here.pth").write_text("\n".join(site.getsitepackages()))
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    script = (
        f"import sys; sys.modules.update(dict.fromkeys({NOT_NEEDED}));"
        "import ssml.cli.main; print(ssml.__file__); sys.exit(ssml.cli.main.main())"
    )

    def run(folder, *words):
        done = subprocess.run(
            [place / "bin/python", "-c", script, *map(str, words)],
            cwd=folder,
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        first, *lines = done.stdout.splitlines()
        assert first.startswith(str(packages))
        return lines

    return run


def test_the_wheel_separates_real_speech_in_an_environment_of_its_own(
    installed, real_mixture, tmp_path
):
    mix, images = real_mixture
    soundfile.write(tmp_path / "talk.flac", mix.T, 16000)
    lines = installed(tmp_path, "separate", "talk.flac", "out", "--rule", "ip2", "--n-fft", 4096)
    assert lines[0].startswith("talk.flac -> out/talk-1.wav out/talk-2.wav")
    est = np.concatenate([read_audio(tmp_path / f"out/talk-{k}.wav")[0] for k in (1, 2)])
    gains = np.abs(np.corrcoef(est, images)[:2, 2:])
    assert max(gains.diagonal().min(), gains[::-1].diagonal().min()) > 0.8
    installed(tmp_path, "separate", "talk.flac", "tiny", "--model", "tiny", "--iterations", 2)
    assert len(list((tmp_path / "tiny").iterdir())) == 2


@pytest.mark.parametrize("method", stages.METHODS)
def test_the_wheel_has_the_si_sdr_that_the_pipeline_reports(installed, separated, method, tmp_path):
    """Of two, three and four speakers: of each source, and hence of each set."""
    folder, params = separated
    refs, scores = {}, {}
    (tmp_path / "in").mkdir()
    for name in stages.SETS:
        for shard in layout.shards(params, name):
            for one in ShardReader([folder / shard], params.fs):
                id = f"{name}-{one.info['id']}"
                refs[id] = one.reverberant
                path = tmp_path / f"in/{id}.wav"
                soundfile.write(path, one.mix.T, params.fs, subtype="FLOAT")
        for row in read_table(folder / layout.scores(method, name)):
            scores.setdefault(f"{name}-{row['id']}", []).append(float(row["si_sdr"]))
    assert {len(values) for values in scores.values()} == {2, 3, 4}
    model = stages.METHODS[method]
    how = ["--model", model, "--rule", "iss", "--iterations", 20]
    how += ["--n-fft", 2048] if model == "laplace" else []
    installed(tmp_path, "separate", "in", "out", *how)
    for id, expected in scores.items():
        paths = [tmp_path / f"out/{id}-{k + 1}.wav" for k in range(len(expected))]
        est = np.concatenate([read_audio(path)[0] for path in paths])
        matrix = si_sdr_matrix(*(torch.from_numpy(x).double() for x in (est, refs[id])))
        best = pit(-matrix)[1]
        found = matrix[best, torch.arange(len(best))]
        np.testing.assert_allclose(found, expected, atol=0.01)  # dB; stored ones have 16 bits
