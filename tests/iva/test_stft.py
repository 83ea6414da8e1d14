import pytest
import torch

from ssml.files.errors import UserError
from ssml.iva.stft import Stft


@pytest.mark.parametrize("n_samples", [100, 5000, 16384])
@pytest.mark.parametrize("n_fft, hop", [(512, 128), (2048, 512), (256, 128)])
def test_inverse_gives_the_signal_back(n_fft, hop, n_samples):
    x = torch.randn(2, 3, n_samples, dtype=torch.float64)
    stft = Stft(n_fft, hop)
    X = stft.forward(x)
    assert X.shape[:3] == (2, 3, stft.bins)
    torch.testing.assert_close(stft.inverse(X, n_samples), x)


@pytest.mark.parametrize("n_samples", [2048, 2048 + 127, 2048 + 1, 90])
def test_what_is_filtered_has_no_louder_end(n_samples):
    """The end is under a window of some height: to divide by it makes no peak."""
    stft = Stft(256, 128)
    X = stft.forward(torch.cos(torch.arange(n_samples) / 7))
    x = stft.inverse(
        X * torch.polar(torch.ones(stft.bins), torch.arange(stft.bins) / 3)[:, None], n_samples
    )
    assert x.abs().max() < 5


def test_a_hop_over_half_a_frame_is_refused():
    with pytest.raises(UserError, match="hop 300"):
        Stft(512, 300)
