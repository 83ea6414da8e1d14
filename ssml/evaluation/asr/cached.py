"""Recognised words on disk, by the digest of the audio: an interrupted transcription resumes."""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from .recogniser import Recogniser


class CachedRecogniser:
    """Calls `recogniser` once for each signal, and writes each answer to `path` at once.

    `key` is a digest of the recogniser and its settings: answers with another key are not used.
    """

    def __init__(self, recogniser: Recogniser, path: Path, key: str) -> None:
        self.recogniser, self.path, self.key = recogniser, path, key
        self.known: dict[str, str] = {}
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        for line in lines:
            try:
                digest, text = json.loads(line)
            except (ValueError, TypeError, RecursionError):  # cut short, or spoiled
                continue
            self.known[digest] = text

    def many(self, audio: Sequence[np.ndarray], fs: int) -> list[str]:
        """The words of each signal (samples,), in order."""
        digests = [self.digest(signal, fs) for signal in audio]
        new = {d: s for d, s in zip(digests, audio, strict=True) if d not in self.known}
        for text, digest in zip(self.recogniser.many(list(new.values()), fs), new, strict=True):
            self.known[digest] = text
            self._keep(digest, text)
        return [self.known[digest] for digest in digests]

    def digest(self, signal: np.ndarray, fs: int) -> str:
        """What an answer depends on: the recogniser, the rate, every sample."""
        head = f"{self.key} {fs} {signal.dtype.str} ".encode()
        return hashlib.sha256(head + np.ascontiguousarray(signal).tobytes()).hexdigest()

    def _keep(self, digest: str, text: str) -> None:
        # appended, not replaced: a line that is cut short is only recognised again. A full disk is
        # no error here, since this file only saves time
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "a") as file:
                file.write(json.dumps([digest, text]) + "\n")
