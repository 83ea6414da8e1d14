"""What every recogniser is: audio in, words out."""

from collections.abc import Sequence

import numpy as np

from ssml.files.errors import UserError

SHORTEST = 0.1  # s: less holds no word
SILENCE = 1e-9  # of full scale


class Recogniser:
    """`transcribe(audio, fs) -> text`: float (samples,) at `fs` Hz to words, "" where none are.

    A subclass says how `many` are heard at once; `batch` is how many it likes to be given.
    """

    batch = 1

    def __call__(self, audio: np.ndarray, fs: int) -> str:
        return self.many([audio], fs)[0]

    def many(self, audio: Sequence[np.ndarray], fs: int) -> list[str]:
        """The words of each signal (samples,), in order."""
        raise NotImplementedError


def hearable(audio: np.ndarray, fs: int) -> bool:
    """Whether `audio` (samples,) holds anything to recognise: long enough, finite, not silent."""
    if audio.ndim != 1:
        raise ValueError(f"audio: shape {audio.shape} where (samples,) is needed")
    if len(audio) < SHORTEST * fs or not np.isfinite(audio).all():
        return False
    return bool(np.abs(audio).max() > SILENCE)


def check_rate(name: str, fs: int, rate: int) -> None:
    """A `UserError` where `fs` is not the rate in Hz that the recogniser `name` needs."""
    if fs != rate:
        raise UserError(f"{name}: audio at {fs} Hz where {rate} Hz is needed; resample it")


def unloadable(model: str, error: Exception, give: str) -> UserError:
    """What to say where `model` cannot be loaded, and what to `give` in its place."""
    reason = " ".join(str(error).split())[:160]
    return UserError(f"transcribe.options.model: {model}: cannot be loaded ({reason}); give {give}")
