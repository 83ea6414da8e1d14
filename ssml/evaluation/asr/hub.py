"""Any speech recogniser of the Hugging Face hub, or of a local folder, through `transformers`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ssml.files.errors import UserError, install

from .recogniser import Recogniser, check_rate, hearable, unloadable


class Hub(Recogniser):
    """Whisper, wav2vec 2.0 and similar: `model` is a name on the hub or a local folder.

    `batch` signals go through the network at once, on a GPU where there is one. Other `options` go
    to `generate` (Whisper: `language: en`). Weights are read from safetensors only. A `grammar` is
    not used: these recognisers bring their own language. Raises `UserError` where `model` is
    missing, is none, or cannot be loaded.
    """

    def __init__(
        self, grammar: str | None = None, model: str = "", batch: int = 8, **options: Any
    ) -> None:
        if not model:
            raise UserError(
                "transcribe.options.model: missing; name a model of the hub or a local folder"
            )
        try:
            import torch
            import transformers
        except ImportError:
            raise UserError(
                f"transcribe.recogniser: transformers is not installed; {install('asr')}"
            ) from None
        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        self.batch, self.options = int(batch), options
        try:
            self.pipe: Any = transformers.pipeline(
                "automatic-speech-recognition",
                model=model,
                device=0 if torch.cuda.is_available() else -1,
                model_kwargs={"use_safetensors": True},  # never a pickle
            )
        except (OSError, ValueError, KeyError, ImportError) as error:
            give = "a speech recogniser's name on the hub or its folder"
            raise unloadable(model, error, give) from error
        self.rate = int(self.pipe.feature_extractor.sampling_rate)

    def many(self, audio: Sequence[np.ndarray], fs: int) -> list[str]:
        check_rate("transformers", fs, self.rate)
        signals = [np.asarray(signal, dtype=np.float32) for signal in audio]
        texts = [""] * len(signals)
        for group in self._together([i for i, s in enumerate(signals) if hearable(s, fs)], signals):
            for i, text in zip(group, self._hear([signals[i] for i in group]), strict=True):
                texts[i] = text
        return texts

    def _together(self, heard: list[int], signals: Sequence[np.ndarray]) -> list[list[int]]:
        """Indices of the signals that share a batch.

        Whisper pads each signal to 30 s. Other signals must not be padded: a CTC network would
        recognise words in the padding.
        """
        if self.pipe.type == "seq2seq_whisper":
            return [heard] if heard else []
        groups: dict[int, list[int]] = {}
        for i in heard:
            groups.setdefault(len(signals[i]), []).append(i)
        return list(groups.values())

    def _hear(self, signals: Sequence[np.ndarray]) -> list[str]:
        # the level carries no information; networks that do not normalise it were trained near this
        given = [{"raw": s / np.abs(s).max() / 2, "sampling_rate": self.rate} for s in signals]
        options = {"generate_kwargs": self.options} if self.options else {}
        found = self.pipe(given, batch_size=self.batch, **options)
        return [" ".join(result["text"].split()) for result in found]
