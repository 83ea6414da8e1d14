"""How the kernels are compiled: without the interpreter's lock, and kept on disk."""

import hashlib
import os
import stat
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core import config as numba_config
from numba.core import event

from .compilation import clock

config: Any = numba_config  # typed as Any: its settings are made when it is loaded
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

    It is kept in numba's folder, or where that cannot be written to, in a temporary one of this
    user. Each process compiles again where there is neither, where the disk is full, and where
    numba no longer has the attributes that `_keep_safely` needs. With NUMBA_DISABLE_JIT nothing is
    compiled.
    """
    if config.DISABLE_JIT:
        return function
    try:
        dispatcher = _kept(function)
        _keep_safely(dispatcher)
    except RuntimeError:  # no place for the cache
        return njit(no_cfunc_wrapper=True, **OPTIONS)(function)
    except AttributeError as error:
        warnings.warn(f"numba {numba.__version__}: {error}; nothing is kept on disk", stacklevel=2)
        return njit(no_cfunc_wrapper=True, **OPTIONS)(function)
    return dispatcher


def _kept(function: Callable[..., Any]) -> Any:
    """Compile `function` with a place on disk; raises `RuntimeError` where there is none."""
    make = njit(cache=True, no_cfunc_wrapper=True, **OPTIONS)
    try:
        return make(function)
    except RuntimeError:
        before, config.CACHE_DIR = config.CACHE_DIR, _private_folder()
        try:
            return make(function)
        finally:
            config.CACHE_DIR = before


def _private_folder() -> str:
    """A temporary folder into which this user alone can write; else a `RuntimeError`.

    What numba keeps is run when it is read.
    """
    path = Path(tempfile.gettempdir(), f"ssml-kernels-{os.getuid()}")
    with suppress(OSError):
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
        private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o022
        if private and found.st_uid == os.getuid():
            return str(path)
    raise RuntimeError(f"{path}: is no folder of this user alone")


def _keep_safely(dispatcher: Any) -> None:
    """Keep what is compiled only for the present sources; compile anew what cannot be read.

    On a full disk nothing is kept. Numba has no public way to do so. Raises `AttributeError` where
    its private ones have gone.
    """
    cache = dispatcher._cache
    keep, load, file = cache.save_overload, cache.load_overload, cache._cache_file
    _ = file._source_stamp, file.flush
    file._source_stamp = sources()

    def keep_if_possible(*arguments: Any) -> None:
        with suppress(OSError):  # the compiled code is in memory all the same
            keep(*arguments)

    def load_if_whole(*arguments: Any) -> Any:
        try:
            return load(*arguments)
        except Exception:  # of an empty or cut file, or another user's: whatever pickle raises
            with suppress(OSError):
                file.flush()  # forgets what is kept, so that this is compiled and kept anew
            return None

    cache.save_overload, cache.load_overload = keep_if_possible, load_if_whole


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
