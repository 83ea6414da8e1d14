"""The STFT of pieces, and its inverse, are those of the whole signal."""

import pytest
import torch

from ssml.iva.frames import Analysis, Synthesis
from ssml.iva.stft import Stft


@pytest.mark.parametrize("n_fft, hop", [(64, 16), (64, 32), (64, 24)])
@pytest.mark.parametrize("n", [1, 15, 63, 64, 500])
@pytest.mark.parametrize("cuts", [[], [1], [7, 8, 100, 300]])
def test_pieces_give_the_frames_and_samples_of_the_whole(n_fft, hop, n, cuts):
    stft, x = Stft(n_fft, hop), torch.randn(2, n, dtype=torch.float64)
    analysis, synthesis = Analysis(stft), Synthesis(stft)
    pieces = torch.tensor_split(x, cuts, -1)
    frames = [*map(analysis.push, pieces), analysis.flush()]
    X = stft.forward(x)
    torch.testing.assert_close(torch.cat(frames, -1), X, atol=1e-12, rtol=0)
    Y = X * torch.linspace(0.5, 2, X.shape[-1])  # no signal's STFT
    found = torch.cat([*map(synthesis.push, Y.split(3, -1)), synthesis.flush()], -1)
    torch.testing.assert_close(found[:, :n], stft.inverse(Y, n), atol=1e-12, rtol=0)


def test_frames_come_as_soon_as_their_samples():
    stft = Stft(64, 16)
    analysis = Analysis(stft)
    counts = [analysis.push(torch.zeros(1, 1)).shape[-1] for _ in range(100)]
    assert [i + 1 for i, count in enumerate(counts) if count] == [32, 48, 64, 80, 96]
