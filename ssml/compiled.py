"""How everything here is compiled: without the interpreter's lock, and kept on disk."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numba

njit: Any = numba.njit  # its overloads know no dictionary of options
OPTIONS = {
    "nogil": True,
    "error_model": "numpy",
    # sums may be reordered into vector lanes; NaN and infinity keep their meaning
    "fastmath": {"reassoc", "contract", "nsz", "arcp"},
}


def inner(function: Callable[..., Any]) -> Callable[..., Any]:
    """For compiled code alone to call: no wrappers, which take as long to compile."""
    return njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)(function)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile at the first call with arguments of a kind; in every process anew where no folder
    can be written to, or the disk is full."""
    try:
        made = njit(cache=True, no_cfunc_wrapper=True, **OPTIONS)(function)
    except RuntimeError:  # no place for the cache
        return njit(no_cfunc_wrapper=True, **OPTIONS)(function)
    made._cache._cache_file._source_stamp = sources()
    keep = made._cache.save_overload

    def keep_if_possible(*arguments: Any) -> None:
        with suppress(OSError):  # what was compiled is there all the same
            keep(*arguments)

    made._cache.save_overload = keep_if_possible
    return made


@cache
def sources() -> str:
    """Digest of all files that compiled code comes from.

    Numba knows a kept function by the file of its own alone, and would go on with what the others
    were before an edit or an update.
    """
    here = Path(__file__).parent
    folders = ("kernels", "models", "updates")
    files = sorted([Path(__file__), *(file for at in folders for file in (here / at).glob("*.py"))])
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
