"""The C library's allocator, for processes that are the project's own."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
LARGEST = 32 << 20  # bytes, the most that mallopt(3) takes for M_MMAP_THRESHOLD
KEPT = 1 << 30  # bytes at the end of the heap that stay when they are free


def keep_freed() -> bool:
    """Keep freed arrays for the next ones, and say whether that could be set.

    Networks make and free arrays of some MB hundreds of times a second. Where each goes back to
    the system, half of a pass without gradients is spent on clearing new pages.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # no glibc, no mallopt
    if mallopt is None:
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST)) and bool(mallopt(M_TRIM_THRESHOLD, KEPT))
