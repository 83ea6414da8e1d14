"""Whisper on a processor's cores at a usable speed, through `faster-whisper` (CTranslate2)."""

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np

from ssml.files.errors import UserError, install

from .recogniser import Recogniser, check_rate, hearable, unloadable

RATE = 16000  # Hz, of every Whisper

# Defaults for faster-whisper, which `options` override: the most probable words. Its own defaults
# draw words at random where it detects a repetition.
SETTINGS: dict[str, Any] = {
    "language": "en",
    "beam_size": 5,
    "temperature": 0.0,
    "condition_on_previous_text": False,
    "without_timestamps": True,
}


class Whisper(Recogniser):
    """A Whisper in CTranslate2's format: `model` is a size (`tiny.en`), a hub name or a folder.

    `compute_type` is the precision: in `int8`, unlike in `float32`, a changed last bit of the audio
    changes the words of every third output. A GPU is used where there is one. Other `options` go
    to `WhisperModel.transcribe`. A `grammar` is not used. Raises `UserError` where `model` is
    missing, is none, or cannot be loaded, and for an unknown option.
    """

    def __init__(
        self,
        grammar: str | None = None,
        model: str = "",
        compute_type: str = "float32",
        **options: Any,
    ) -> None:
        if not model:
            raise UserError("transcribe.options.model: missing; name a Whisper: tiny.en, a folder")
        try:
            import faster_whisper
        except ImportError:
            raise UserError(
                f"transcribe.recogniser: faster-whisper is not installed; {install('asr')}"
            ) from None
        known = inspect.signature(faster_whisper.WhisperModel.transcribe).parameters
        if unknown := options.keys() - known.keys():
            raise UserError(
                f"transcribe.options.{min(unknown)}: no such faster-whisper option; remove it"
            )
        self.settings = SETTINGS | options
        try:
            # a core for each job: the workflow runs as many as there are
            self.model = faster_whisper.WhisperModel(
                model, compute_type=compute_type, cpu_threads=1
            )
        except (OSError, ValueError, RuntimeError) as error:
            give = "a Whisper's size, its name on the hub, or its folder"
            raise unloadable(model, error, give) from error

    def many(self, audio: Sequence[np.ndarray], fs: int) -> list[str]:
        check_rate("faster-whisper", fs, RATE)
        return [self._one(np.asarray(signal)) for signal in audio]

    def _one(self, audio: np.ndarray) -> str:
        if not hearable(audio, RATE):
            return ""
        # the level carries no information; the network was trained near this one
        given = (audio / np.abs(audio).max() / 2).astype(np.float32)
        found, _ = self.model.transcribe(given, **self.settings)
        return " ".join(" ".join(segment.text for segment in found).split())
