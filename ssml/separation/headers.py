"""What the headers of audio files state, where libsndfile takes it for granted."""

import struct
from pathlib import Path

BEYOND = 4096  # bytes behind the stated end that are more than padding


class Rest:
    """A file without its first bytes."""

    def __init__(self, path: Path, offset: int) -> None:
        self._file, self._offset = path.open("rb"), offset
        self._file.seek(offset)

    def __enter__(self) -> "Rest":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, count: int = -1) -> bytes:
        return self._file.read(count)

    def readinto(self, buffer: bytearray) -> int:
        return self._file.readinto(buffer)

    def write(self, data: bytes) -> int:
        raise OSError("read only")

    def tell(self) -> int:
        return self._file.tell() - self._offset

    def seek(self, place: int, whence: int = 0) -> int:
        return self._file.seek(place + (self._offset if whence == 0 else 0), whence) - self._offset


def behind_header(path: Path) -> int | None:
    """Where the samples of a WAV or RF64 begin, if they go on behind the end that is stated."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head, place, wide = file.read(12), 12, 0
        while place + 8 <= size:
            file.seek(place)
            name, length = struct.unpack("<4sI", file.read(8))
            if name == b"ds64":
                wide = struct.unpack("<Q", file.read(16)[8:])[0]
            if name == b"data":
                if length == 0xFFFFFFFF:  # RIFF: unknown, to the end
                    length = wide if head[:4] in (b"RF64", b"BW64") else size
                end = place + 8 + length + length % 2
                if size - end < BEYOND:
                    return None
                file.seek(end)
                name, after = struct.unpack("<4sI", file.read(8))
                is_chunk = all(32 <= letter < 127 for letter in name) and end + 8 + after <= size
                return None if is_chunk else place + 8
            place += 8 + length + length % 2
    return None


def states_length(path: Path) -> bool:
    """Whether an MP3 has the frame with its length."""
    with path.open("rb") as file:
        head = file.read(10)
        tag = sum(byte << 7 * i for i, byte in enumerate(reversed(head[6:])))  # ID3v2
        file.seek(10 + tag if head[:3] == b"ID3" else 0)
        first = file.read(4096)
    return any(name in first for name in (b"Xing", b"Info", b"VBRI"))
