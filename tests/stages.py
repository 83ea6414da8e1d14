"""The pipeline's stages, run on a few mixtures of real speech."""

import importlib
from pathlib import Path

import pytest
import yaml

from ssml import pretrained
from ssml.config import layout
from ssml.config.params import load
from tests.conftest import ROOT

METHODS = {"laplace-iss": "laplace", "learned-sdr-iss": "learned-sdr"}  # and what they separate by
SETS = {f"test{K}": K for K in (2, 3, 4)}


def run(folder: Path, librispeech: Path) -> None:
    """Corpus, scenes, mix, separate and score in `folder`, of LibriSpeech."""
    folder.mkdir()
    values = yaml.safe_load((ROOT / "tests/params.yaml").read_text())
    values["corpus"]["source"] = "librispeech"
    values["corpus"]["librispeech"] |= {
        "root": str(librispeech),
        "utterances": str(ROOT / "presets/excerpt-utterances.txt"),
    }
    for name, K in SETS.items():
        chosen = {"split": "test", "speakers": K, "mixtures": 2, "length": "max"}
        values["scenes"]["sets"][name] = chosen | {"seconds": [3, 8]}
    values["separate"] |= {"sets": list(SETS), "stft": {"n_fft": 2048, "hop": 512}}
    for method in values["separate"]["methods"].values():
        shipped = pretrained.path(method["model"])
        method |= {"model": str(shipped or method["model"]), "iterations": 20}
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("sys.argv", ["corpus"])
        importlib.import_module("pipeline.corpus").main()
        for name in SETS:
            shards = [str(shard) for shard in range(len(layout.shards(load(), name)))]
            words = [(stage, name, shard) for stage in ("scenes", "mix") for shard in shards]
            words += [
                (stage, method, name) for method in METHODS for stage in ("separate", "score")
            ]
            for stage, *arguments in words:
                patch.setattr("sys.argv", [stage, *arguments])
                importlib.import_module(f"pipeline.{stage}").main()
