"""The learned separator as a file of its own, .onnx or .pt2: `mix (1, K, N) -> images (1, K, N)`.

The file computes AuxIVA with a trained source model and any update rule, for K sources at K
microphones and a fixed number of iterations. Samples are float32 at 16 kHz; N is any number from
the length of a window. See `graph`.
"""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ssml.files.errors import UserError, install
from ssml.files.io import write_bytes
from ssml.iva import auxiva
from ssml.iva.checkpoint import Trained
from ssml.iva.stft import Stft

from .graph import Graph
from .graph_rules import RULES

TOLERANCE = 1e-4  # of the mixture's peak, between the graph and the library
OPSET = 20


def export(
    trained: Trained,
    path: Path | str,
    iterations: int | None = None,
    sources: int = 2,
    rule: str | None = None,
) -> dict[str, Any]:
    """Write the separator with `trained` to `path`, .onnx or .pt2; what it takes, as plain data.

    iterations, rule: None for those that the model's card names. The graph is run and compared with
    the library before it is written. Raises `UserError` for an unknown rule, a model that has a
    memory, a package that is missing, and results that differ.
    """
    path = Path(path)
    if path.suffix not in (".onnx", ".pt2"):
        raise UserError(f"{path}: name a file that ends in .onnx or .pt2")
    iterations = trained.iterations if iterations is None else iterations
    rule = rule or trained.rule
    if rule not in RULES:
        raise UserError(f"rule: no {rule!r} among {', '.join(RULES)}")
    if iterations < 1 or not 2 <= sources <= 8:
        raise UserError(f"{iterations} iterations, {sources} sources: give at least 1, and 2 to 8")
    _check_model(trained)
    mix = _noise(sources, trained.stft)
    program = trace(trained, mix, iterations, rule)
    data = to_onnx(program) if path.suffix == ".onnx" else to_pt2(program)
    run = run_onnx if path.suffix == ".onnx" else run_pt2
    mix = mix[..., : -trained.stft.hop // 2 - 1]  # of another length than the traced one
    found = torch.from_numpy(run(data, mix.numpy()))
    with torch.no_grad():
        expected = auxiva.separate(mix, trained.network, rule, iterations, trained.stft)
    difference = float((expected - found).abs().max() / mix.abs().max())
    if not difference < TOLERANCE:
        raise UserError(f"{path}: differs by {difference:.1e} from the library; not written")
    write_bytes(path, data)
    return {
        "file": str(path),
        "mix": [1, sources, "samples"],
        "images": [1, sources, "samples"],
        "least_samples": trained.stft.n_fft,
        "fs": trained.fs,
        "rule": rule,
        "iterations": iterations,
        "difference": difference,
    }


@torch.no_grad()
def _check_model(trained: Trained) -> None:
    """Raise `UserError` for a model with a memory, or past frames: the graph's loop has only W."""
    if trained.taps:
        raise UserError(f"taps: {trained.taps} on the model's card; past frames are not exported")
    _, memory = trained.network(torch.ones(1, 2, trained.stft.bins, 4))
    if memory is not None:
        name = trained.card.get("network", {}).get("name", "model")
        raise UserError(f"{name}: has a memory between iterations; such a model cannot be exported")


@torch.no_grad()
def trace(
    trained: Trained, mix: Tensor, iterations: int, rule: str = "iss"
) -> torch.export.ExportedProgram:
    """The graph for mixtures like `mix` (1, K, N), with any other N."""
    graph = Graph(trained.network, trained.stft, iterations, mix.shape[1], rule).eval()
    samples = torch.export.Dim("samples", min=trained.stft.n_fft)
    with quiet():
        return torch.export.export(graph, (mix.contiguous(),), dynamic_shapes=({2: samples},))


def to_onnx(program: torch.export.ExportedProgram) -> bytes:
    """The graph as an ONNX file; input `mix`, output `images`."""
    try:
        from onnxscript import optimizer
    except ImportError:
        raise UserError(f"onnxscript is not installed; {install('export')}") from None
    with quiet():
        written = torch.onnx.export(
            program,
            input_names=["mix"],
            output_names=["images"],
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert written is not None
    optimizer.remove_unused_nodes(written.model)  # onnxruntime would warn of each
    return written.model_proto.SerializeToString()


def run_onnx(data: bytes, mix: np.ndarray) -> np.ndarray:
    """The images (1, K, N) by onnxruntime of a mixture (1, K, N)."""
    try:
        import onnxruntime
    except ImportError:
        raise UserError(f"onnxruntime is not installed; {install('export')}") from None
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"mix": mix})[0])


def to_pt2(program: torch.export.ExportedProgram) -> bytes:
    """The graph as `torch.export.load` reads it."""
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    return buffer.getvalue()


def run_pt2(data: bytes, mix: np.ndarray) -> np.ndarray:
    """The images (1, K, N) by torch of a mixture (1, K, N)."""
    with torch.no_grad():
        return torch.export.load(io.BytesIO(data)).module()(torch.from_numpy(mix)).numpy()


def _noise(sources: int, stft: Stft) -> Tensor:
    """A mixture (1, K, N) of noises of changing level, 60 dB weaker at the last microphone."""
    random = torch.Generator().manual_seed(0)
    N, beat = 24 * stft.n_fft, 4 * stft.n_fft
    level = torch.rand(sources, N // beat, generator=random).repeat_interleave(beat, -1) ** 2
    mixing = torch.randn(sources, sources, generator=random)
    mixing[-1] *= 1e-3
    return 0.1 * (mixing @ (level * torch.randn(sources, N, generator=random)))[None]


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the exporter's remarks on packages that are not needed."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
