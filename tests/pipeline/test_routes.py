"""One mixture, one result: by the command, the library, an exported graph and the pipeline."""

import numpy as np
import pytest
import soundfile
import torch

from ssml import pretrained
from ssml.cli import main
from ssml.config.layout import shards
from ssml.data.shards import ShardReader
from ssml.evaluation.outcomes import outcomes
from ssml.files.io import read_audio
from ssml.iva import checkpoint
from ssml.separation import export
from ssml.separation.blocks import order
from ssml.separation.separator import Separator
from tests import stages

TOLERANCE = 1e-4  # of the mixture's peak


@pytest.fixture(scope="module", params=["test2", "test3"])
def routes(request, separated, tmp_path_factory):
    """Mixtures (K, N) of a set, and what each route makes of them: route -> outputs (K, N)."""
    folder, params = separated
    (place := tmp_path_factory.mktemp("routes")).joinpath("in").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        mixes = [example.mix for example in ShardReader(shards(params, request.param), params.fs)]
        found = {"stage": [one.est for one in outcomes(params, "learned-sdr-iss", request.param)]}
    for i, mix in enumerate(mixes):
        soundfile.write(place / f"in/{i}.wav", mix.T, params.fs, subtype="FLOAT")
    words = ["separate", str(place / "in"), str(place / "out"), "--model", "learned-sdr"]
    words += ["--rule", "iss", "--iterations", "20"]
    assert main.main(words) == 0
    K = stages.SETS[request.param]
    found["command"] = [
        np.concatenate([read_audio(place / f"out/{i}-{k + 1}.wav")[0] for k in range(K)])
        for i in range(len(mixes))
    ]
    separator = Separator("learned-sdr", rule="iss", iterations=20, fs=16000)
    found["numpy"] = [separator(mix) for mix in mixes]
    found["torch"] = [separator(torch.from_numpy(mix)).numpy() for mix in mixes]
    trained = checkpoint.load(pretrained.path("learned-sdr"))
    program = export.trace(trained, torch.from_numpy(mixes[0])[None], 20)
    for run, data in (
        (export.run_onnx, export.to_onnx(program)),
        (export.run_pt2, export.to_pt2(program)),
    ):
        found[run.__name__] = [run(data, mix[None])[0] for mix in mixes]
    return mixes, found


@pytest.mark.slow
def test_all_routes_give_the_same_signals(routes):
    mixes, found = routes
    assert len(found) == 6
    for route, outputs in found.items():
        for mix, expected, est in zip(mixes, found["numpy"], outputs, strict=True):
            assert est.shape == mix.shape
            est = est[order(expected, est)]  # the stage's are in the order of the references
            difference = np.abs(est - expected).max() / np.abs(mix).max()
            assert difference < TOLERANCE, route
