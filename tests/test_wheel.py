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
import yaml

import ssml
from ssml.io import read_audio
from tests.conftest import ROOT, tiny_model


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
    assert wheel.name == f"ssml-{ssml.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = archive.read(f"ssml-{ssml.__version__}.dist-info/METADATA").decode()
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "ssml").rglob("*.py")}
    assert sources <= names
    data = {"py.typed", "pretrained/tiny.safetensors", "pretrained/tiny.json"}
    assert {f"ssml/{name}" for name in data} <= names
    kept = {str(path.relative_to(ROOT)) for path in (ROOT / "ssml").rglob("*.j2")}
    assert kept and kept <= names
    assert {name.split("/")[0] for name in names} == {"ssml", f"ssml-{ssml.__version__}.dist-info"}
    needed = re.findall(r"^Requires-Dist: ([\w-]+)[^;\n]*$", metadata, re.M)
    assert {"torch", "numpy", "soundfile"} <= set(needed)
    assert not {"mlflow", "matplotlib", "pyroomacoustics", "onnx"} & set(needed)
    extras = set(re.findall(r"^Provides-Extra: (\w+)$", metadata, re.M))
    assert extras == {"pipeline", "asr", "plot", "export", "bench", "dev"}


def test_the_sdist_holds_the_licence_and_the_readme(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", "ssml/cli.py"} <= names


def test_the_version_is_one(built):
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == ssml.__version__
    assert f"## {ssml.__version__}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.slow
def test_the_wheel_separates_real_speech_in_an_environment_of_its_own(
    built, real_mixture, tmp_path
):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "e"], check=True)
    (packages,) = (tmp_path / "e").glob("lib/python*/site-packages")
    # what it depends on comes from here; a link to this project would be a .pth, not followed
    (packages / "here.pth").write_text("\n".join(site.getsitepackages()))
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    mix, images = real_mixture
    soundfile.write(tmp_path / "talk.flac", mix.T, 16000)

    script = (
        "import sys, ssml.cli; print(ssml.__file__);"
        "words = ['separate', 'talk.flac', 'out', '--rule', 'ip2', '--n-fft', '4096'];"
        "other = ['separate', 'talk.flac', 'tiny', '--model', 'tiny', '--iterations', '2'];"
        "sys.exit(ssml.cli.main(words) or ssml.cli.main(other))"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    options = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True}
    done = subprocess.run([tmp_path / "e/bin/python", "-c", script], check=True, **options)
    place, first = done.stdout.splitlines()[:2]
    assert place.startswith(str(packages))
    assert first.startswith("talk.flac -> out/talk-1.wav out/talk-2.wav")
    est = np.concatenate([read_audio(tmp_path / f"out/talk-{k}.wav")[0] for k in (1, 2)])
    gains = np.abs(np.corrcoef(est, images)[:2, 2:])
    assert max(gains.diagonal().min(), gains[::-1].diagonal().min()) > 0.8
    assert len(list((tmp_path / "tiny").iterdir())) == 2
