"""espeak-ng's samples at the corpus's rate and level, through the process of `espeak.py`."""

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

import numpy as np

from ssml.config.names import RATE
from ssml.files.errors import UserError

from . import espeak
from .voices import Voice

LEVEL = 0.05  # RMS of the speech, its pauses left out
PEAK = 0.99
MEND = "reinstall espeakng-loader"


class Speaker:
    """A running engine: its version, its variants, and `say`."""

    def __init__(self, requests: IO[bytes], answers: IO[bytes]):
        self.requests, self.answers = requests, answers
        about = self._header()
        self.version: str = about["version"]
        self.variants: list[str] = about["variants"]

    def _header(self) -> dict[str, Any]:
        line = self.answers.readline()
        if not line.endswith(b"\n"):
            raise UserError(f"espeak-ng ended before it answered; {MEND}")
        header = json.loads(line)
        if "error" in header:
            raise UserError(f"{header['error']}; {MEND}")
        return header

    def say(self, voice: Voice, text: str) -> np.ndarray:
        """`text` as float64 (samples,) in [-1, 1] at 16 kHz, at the common speech level."""
        from scipy.signal import resample_poly  # slow to import, and only needed here

        try:
            self.requests.write(json.dumps(voice.request(text)).encode() + b"\n")
            self.requests.flush()
        except OSError as error:
            raise UserError(f"espeak-ng ended before '{text}'; {MEND}") from error
        header = self._header()
        data = self.answers.read(2 * header["samples"])
        if len(data) < 2 * header["samples"]:
            raise UserError(f"espeak-ng ended in the middle of '{text}'; {MEND}")
        pcm = np.frombuffer(data, np.int16) / 2**15
        if not pcm.any():
            raise UserError(
                f"espeak-ng is silent for voice {voice.language}+{voice.variant}; {MEND}"
            )
        common = math.gcd(RATE, header["rate"])
        return level(resample_poly(pcm, RATE // common, header["rate"] // common))


@contextmanager
def engine() -> Iterator[Speaker]:
    """Start espeak-ng in a process of its own; it ends with the block."""
    command = [sys.executable, "-I", espeak.__file__]  # isolated: nothing of ssml is imported there
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        try:
            yield Speaker(process.stdin, process.stdout)
        finally:
            with suppress(BrokenPipeError):  # it has ended already, which was or is an error
                process.stdin.close()


def level(audio: np.ndarray) -> np.ndarray:
    """Scale `audio` (samples,) to the common level, or to less where it would clip."""
    frames = audio[: len(audio) // 320 * 320].reshape(-1, 320)
    power = np.mean(frames**2, axis=1)
    active = np.sqrt(np.mean(power[power > 1e-3 * power.max()]))
    return audio * min(LEVEL / active, PEAK / np.abs(audio).max())
