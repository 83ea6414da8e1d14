"""The exported graph says what the library says, for any length, in real numbers."""

import numpy as np
import pytest
import torch

from ssml.files.errors import UserError
from ssml.iva import auxiva, checkpoint
from ssml.iva.models import CLASSICAL
from ssml.iva.stft import Stft
from ssml.iva.updates import UPDATES
from ssml.separation import export, graph
from ssml.separation.graph_rules import RULES
from ssml.separation.pairs import Complex, lower_inverse
from tests.conftest import speechlike

STFT, N_ITER = Stft(128, 32), 6


@pytest.fixture(scope="module")
def trained():
    """A small network that says more than it does at first."""
    torch.manual_seed(0)
    args = {"name": "glu", "hidden": 8, "layers": 1}
    network = checkpoint.build(args, STFT.bins).eval()
    with torch.no_grad():
        for value in network.parameters():
            value.add_(0.05 * torch.randn_like(value))
    return checkpoint.Trained(network, STFT, {})


def mixture(K, n, seed=1):
    return torch.from_numpy(speechlike(K, seconds=n / 16000, seed=seed)[0]).float()[None]


@torch.no_grad()
def expected(trained, mix, rule="iss"):
    return auxiva.separate(mix, trained.network, rule, N_ITER, trained.stft)


@pytest.mark.parametrize("K", [2, 3, 4])
@pytest.mark.parametrize("n", [600, 4999])
@pytest.mark.parametrize("last", [1, 1e-3])
@pytest.mark.parametrize("rule", sorted(UPDATES))
def test_the_real_form_is_the_librarys(trained, K, n, last, rule):
    mix = mixture(K, n)
    mix[:, -1] *= last
    separator = graph.Graph(trained.network, STFT, N_ITER, K, rule)
    with torch.no_grad():
        wanted = expected(trained, mix, rule)
        torch.testing.assert_close(separator(mix), wanted, atol=2e-5, rtol=0)


def covariances(K, weak=1.0):
    """Weighted covariances (9, K, K, K), complex128; the last output is `weak` times the others."""
    random = torch.Generator().manual_seed(K)
    Y = torch.randn(9, K, 64, dtype=torch.complex128, generator=random)
    U = torch.rand(9, K, 64, dtype=torch.float64, generator=random) ** 4
    Y[:, -1] = weak * (Y[:, -1] + Y[:, 0])
    return torch.einsum("fkt,fit,fjt->fkij", U, Y, Y.conj()) / 64


@pytest.mark.parametrize("K", [2, 3, 4, 6])
@pytest.mark.parametrize("weak", [1, 1e-4])
@pytest.mark.parametrize("rule", sorted(UPDATES))
def test_a_rule_in_real_tensors_is_that_of_the_loop(K, weak, rule):
    G = covariances(K, weak)
    A = RULES[rule](Complex(G.real, G.imag))
    torch.testing.assert_close(torch.complex(A.re, A.im), UPDATES[rule](G), rtol=1e-4, atol=1e-6)


def test_there_is_a_graph_for_every_rule():
    assert RULES.keys() == UPDATES.keys()


@pytest.mark.parametrize("rule", sorted(UPDATES))
def test_silence_and_identical_channels_stay_finite(trained, rule):
    separator = graph.Graph(trained.network, STFT, N_ITER, 2, rule)
    with torch.no_grad():
        assert not separator(torch.zeros(1, 2, 1000)).any()
        assert torch.isfinite(separator(mixture(2, 1000)[:, :1].expand(1, 2, -1))).all()


def test_cholesky_and_its_inverse():
    A = torch.randn(5, 4, 4, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))
    C = A @ A.mH
    L, inverse = lower_inverse(Complex(C.real, C.imag))
    torch.testing.assert_close(torch.complex(L.re, L.im), torch.linalg.cholesky(C))
    eye = torch.complex(*(L.dot(inverse).re, L.dot(inverse).im))
    torch.testing.assert_close(eye, torch.eye(4, dtype=C.dtype).expand_as(C))


@pytest.mark.slow
@pytest.mark.parametrize("rule", sorted(UPDATES))
def test_onnx_and_torch_files_agree_with_the_library_at_any_length(trained, rule, capfd):
    onnx = pytest.importorskip("onnx")
    program = export.trace(trained, mixture(2, 3200), N_ITER, rule)
    files = {export.run_onnx: export.to_onnx(program), export.run_pt2: export.to_pt2(program)}
    for n in (128, 3200, 7001):
        mix = mixture(2, n, seed=n)
        for run, data in files.items():
            found = run(data, mix.numpy())
            np.testing.assert_allclose(found, expected(trained, mix, rule), atol=3e-5)
    assert "W:onnxruntime" not in capfd.readouterr().err
    made = onnx.load_from_string(files[export.run_onnx]).graph
    real = {"FLOAT", "DOUBLE", "INT64", "BOOL"}
    kinds = {onnx.TensorProto.DataType.Name(value.data_type) for value in made.initializer}
    kinds |= {
        onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type)
        for value in [*made.input, *made.output, *made.value_info]
    }
    assert kinds <= real
    assert made.input[0].type.tensor_type.shape.dim[2].dim_param


@pytest.mark.parametrize(
    "name, iterations, sources, message",
    [
        ("model.bin", 5, 2, "model.bin: name a file that ends in"),
        ("model.onnx", 0, 2, "0 iterations"),
        ("model.onnx", 5, 1, "1 sources"),
    ],
)
def test_what_is_refused(trained, tmp_path, name, iterations, sources, message):
    with pytest.raises(UserError, match=message):
        export.export(trained, tmp_path / name, iterations, sources)
    assert not list(tmp_path.iterdir())


def test_a_model_that_remembers_is_refused(trained, tmp_path):
    class Remembers(torch.nn.Module):
        def forward(self, power, memory=None):
            return CLASSICAL["nmf"]()(power, memory)

    remembering = checkpoint.Trained(Remembers(), STFT, {"network": {"name": "low-rank"}})
    with pytest.raises(UserError, match="^low-rank: has a memory .* cannot be exported$"):
        export.export(remembering, tmp_path / "model.onnx", 5, 2)
    assert not list(tmp_path.iterdir())


def test_a_graph_that_differs_is_not_written(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "trace", lambda *_: None)
    monkeypatch.setattr(export, "to_pt2", lambda _: b"")
    monkeypatch.setattr(export, "run_pt2", lambda _, mix: mix)
    with pytest.raises(UserError, match="differs by"):
        export.export(trained, tmp_path / "model.pt2", 5, 2)
    assert not list(tmp_path.iterdir())
