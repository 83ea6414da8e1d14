"""How the kernels are compiled: without the interpreter's lock, and kept on disk."""

import hashlib
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core import event

from .compilation import clock

njit: Any = numba.njit  # typed as Any: its overloads do not accept a dictionary of options
OPTIONS = {
    "nogil": True,
    "error_model": "numpy",
    # sums may be reordered into vector lanes; NaN and infinity keep their meaning
    "fastmath": {"reassoc", "contract", "nsz", "arcp"},
}


class _Listener(event.Listener):
    """Tells the clock; what is read from disk is no event."""

    def on_start(self, event: Any) -> None:
        clock.start()

    def on_end(self, event: Any) -> None:
        clock.stop()


event.register("numba:compile", _Listener())


def inner(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function that only compiled code calls: wrappers would double the time."""
    return njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)(function)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile at the first call with arguments of a kind, and keep the result on disk.

    Each process compiles again where no folder can be written to, where the disk is full, and where
    numba no longer has the attributes that `_keep_safely` needs.
    """
    try:
        dispatcher = njit(cache=True, no_cfunc_wrapper=True, **OPTIONS)(function)
        _keep_safely(dispatcher)
    except RuntimeError:  # no place for the cache
        return njit(no_cfunc_wrapper=True, **OPTIONS)(function)
    except AttributeError as error:
        warnings.warn(f"numba {numba.__version__}: {error}; nothing is kept on disk", stacklevel=2)
        return njit(no_cfunc_wrapper=True, **OPTIONS)(function)
    return dispatcher


def _keep_safely(dispatcher: Any) -> None:
    """Keep what is compiled only for the present sources, and go on where the disk is full.

    Numba has no public way to do either. Raises `AttributeError` where its private ones have gone.
    """
    cache = dispatcher._cache
    keep, file = cache.save_overload, cache._cache_file
    _ = file._source_stamp
    file._source_stamp = sources()

    def keep_if_possible(*arguments: Any) -> None:
        with suppress(OSError):  # the compiled code is in memory all the same
            keep(*arguments)

    cache.save_overload = keep_if_possible


@cache
def sources() -> str:
    """Digest of all files that compiled code comes from.

    Numba compares only the file that defines a kept function. After an edit or an update of another
    file it would go on with the old code.
    """
    here = Path(__file__).parent
    folders = ("kernels", "models", "updates")
    files = [file for name in folders for file in (here / name).rglob("*.py")]
    files = sorted([*files, Path(__file__), here / "linalg.py"])
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
