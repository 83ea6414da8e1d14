"""espeak-ng as a process of its own: JSON lines in, PCM out. A script of the standard library.

espeak-ng is GPL and keeps its state in globals, so it never enters the process that imports ssml.
What was spoken before leaves traces in the next utterance, so each one is spoken by a fork of the
loaded, silent engine: its samples depend on the request alone.

The first line out is `{"version", "variants"}`. A request is one line `{"voice", "pitch", "rate",
"text"}`; its answer one line `{"rate", "samples"}` with that many 16-bit samples behind it, or
`{"error"}`.
"""

import ctypes
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

SYNCHRONOUS, NO_EXIT = 2, 0x8000  # no thread, which a fork would lose; errors do not end us
RATE, PITCH = 1, 3  # of espeak_PARAMETER
UTF8, CHARACTER = 1, 1
SEED = 1  # of the noise in breathy and Klatt voices
LONGEST = 159  # bytes of the path of its data that the library keeps


class Engine:
    """The loaded library; raises `RuntimeError` where it cannot be used."""

    def __init__(self) -> None:
        import espeakng_loader

        self.library = ctypes.CDLL(espeakng_loader.get_library_path())
        self.pcm = bytearray()
        kind = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
        )
        self.callback = kind(self._collect)  # kept: the library holds only its address
        self.data = self._within_reach(str(espeakng_loader.get_data_path()))
        self.fs = self.library.espeak_Initialize(SYNCHRONOUS, 0, os.fsencode(self.data), NO_EXIT)
        if self.fs <= 0:
            raise RuntimeError("espeak-ng does not start; reinstall espeakng-loader")
        self.library.espeak_SetSynthCallback(self.callback)

    def _within_reach(self, data: str) -> str:
        """A path of the folder `data` that is short enough: its own, or a link to it."""
        if len(os.fsencode(data)) <= LONGEST:
            return data
        self.folder = tempfile.TemporaryDirectory(prefix="espeak-")  # kept as long as the engine
        link = Path(self.folder.name, "data")
        link.symlink_to(data, target_is_directory=True)
        if len(os.fsencode(link)) > LONGEST:
            raise RuntimeError(f"espeak-ng: {link} is too long a path; set TMPDIR to a short one")
        return str(link)

    def _collect(self, samples: Any, count: int, _events: Any) -> int:
        if samples and count > 0:
            self.pcm += ctypes.string_at(samples, 2 * count)
        return 0  # go on

    def version(self) -> str:
        self.library.espeak_Info.restype = ctypes.c_char_p
        return self.library.espeak_Info(None).decode()

    def variants(self) -> list[str]:
        return sorted(path.name for path in Path(self.data, "voices", "!v").iterdir())

    def speak(self, voice: str, pitch: int, rate: int, text: str) -> bytes:
        """The 16-bit PCM of `text` at `fs` Hz; repeatable only as an engine's first words."""
        library = self.library
        variant = voice.partition("+")[2]  # an unknown one would be passed over in silence
        unknown = variant and variant not in self.variants()
        if unknown or library.espeak_SetVoiceByName(voice.encode()):
            raise RuntimeError(f"espeak-ng has no voice {voice}")
        library.espeak_SetParameter(RATE, rate, 0)
        library.espeak_SetParameter(PITCH, pitch, 0)
        library.espeak_ng_SetRandSeed(ctypes.c_long(SEED))
        ctypes.CDLL(None).srand(SEED)  # the Klatt synthesiser draws from libc
        data = text.encode()
        if library.espeak_Synth(data, len(data) + 1, 0, CHARACTER, 0, UTF8, None, None):
            raise RuntimeError(f"espeak-ng cannot speak '{text}'")
        library.espeak_Synchronize()
        return bytes(self.pcm)


def answer(engine: Engine, line: str) -> bytes:
    """The header line and the samples for one request."""
    try:
        pcm = engine.speak(**json.loads(line))
    except RuntimeError as error:
        return json.dumps({"error": str(error)}).encode() + b"\n"
    return json.dumps({"rate": engine.fs, "samples": len(pcm) // 2}).encode() + b"\n" + pcm


def main() -> None:
    """Answer requests until standard input ends."""
    engine = Engine()
    out = sys.stdout.buffer
    about = {"version": engine.version(), "variants": engine.variants()}
    out.write(json.dumps(about).encode() + b"\n")
    out.flush()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            out.write(answer(engine, line))
            out.flush()
            os._exit(0)
        if os.waitpid(child, 0)[1]:  # killed: end, for an answer that does not come is waited for
            sys.exit(1)


if __name__ == "__main__":
    main()
