"""The memory that a block needs, before it is separated, and the block that fits."""

import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from ssml.config.names import BACKGROUND
from ssml.files.errors import UserError

from .blocks import BLOCK

# bytes for each bin of each frame: the mixture, its outputs and weights, and the outer products of
# all pairs of channels; measured with 2 to 16 channels
FIXED, BY_SOURCE, BY_PAIR, BY_CHANNEL = 200, 90, 9, 24
SHARE = 0.8  # of what is free, that a block may take
SHORTEST = 10.0  # s, block that is still taken


def estimate(channels: int, sources: int, seconds: float, bins: int, frames: float) -> float:
    """Bytes for a block of `seconds` s with STFTs of `bins` bins, `frames` of them in a second."""
    each = FIXED + BY_SOURCE * sources + BY_PAIR * sources**2 + BY_CHANNEL * (channels - sources)
    return each * bins * frames * seconds


def free(device: str = "cpu") -> float:
    """Bytes that may still be taken on a kind of device; infinite where the system does not say."""
    if device == "cuda":
        import torch

        return float(torch.cuda.mem_get_info()[0])
    found = [float("inf")]
    with suppress(OSError, ValueError, IndexError):
        found.append(1024 * _value(Path("/proc/meminfo"), "MemAvailable:"))
    with suppress(OSError, ValueError, IndexError):  # of a container
        group = Path("/sys/fs/cgroup")
        most = int((group / "memory.max").read_text())
        found.append(most - _value(group / "memory.stat", "anon"))
    with suppress(OSError, ValueError, IndexError):  # ulimit -v
        most = resource.getrlimit(resource.RLIMIT_AS)[0]
        if most != resource.RLIM_INFINITY:
            found.append(most - 1024 * _value(Path("/proc/self/status"), "VmSize:"))
    return max(0.0, min(found))


def _value(file: Path, name: str) -> int:
    """The number in the line of a file that begins with `name`."""
    return int(next(iter(line.split() for line in file.open() if line.split()[0] == name), [])[1])


def fitting(block: float | None, longest: float, per_second: float, most: float) -> float:
    """The block in s: `block`, or with None the longest that needs at most `most` bytes.

    Raises `UserError` where a block that is given, or the shortest one, does not fit.
    """
    fits = SHARE * most / per_second
    wanted = min(block or longest, longest)
    if fits >= wanted:
        return block or longest
    if block is None and fits >= min(SHORTEST, wanted):
        return float(int(fits))
    shorter = f"--block {int(fits)}, or " if fits >= 2 else ""
    raise UserError(
        f"needs about {_giga(wanted * per_second)} of memory in a block of {wanted:.0f} s, and "
        f"{_giga(most)} are free; {shorter}--sources K with fewer sources than channels needs less"
    )


def _giga(size: float) -> str:
    return f"{size / 1e9:.1f} GB"


def block_length(separator: Any, recording: Any, sources: int, block: float | None) -> float:
    """The block in s for a recording; one that is shorter than usual is among its `notes`."""
    stft, fs = separator.stft, separator.model_fs
    if separator.reduce == BACKGROUND:  # all channels are kept
        sources = recording.channels
    per_second = estimate(recording.channels, sources, 1.0, stft.n_fft // 2 + 1, fs / stft.hop)
    longest = min(block or BLOCK, recording.seconds)
    fits = fitting(block, longest, per_second, free(separator.device.type))
    if block is not None or fits >= longest:
        return block or BLOCK
    recording.notes.append(f"in blocks of {fits:.0f} s, for which there is memory")
    return fits


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was missing, on the CPU or on another device."""
    torch = sys.modules.get("torch")
    kinds: tuple[type[BaseException], ...] = (MemoryError,)
    if torch is not None:
        kinds = (MemoryError, torch.OutOfMemoryError)
    return isinstance(error, kinds) or "can't allocate memory" in str(error)
