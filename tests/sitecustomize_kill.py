"""Copied to a project as `sitecustomize.py`: its stages die at a chosen moment of a chosen write.

`SSML_KILL` holds `MOMENT N WHOM FILE`: of the N-th file that the stages sync to disk from now on
(FILE counts them, over all processes), half is written and the rest lost (`half`), or it is whole
but not renamed (`whole`), or renamed but what comes next is not done (`renamed`). WHOM is `group`,
all processes of the command, or `stage`, the writing process alone.
"""

import fcntl
import os
import signal

_fsync, _replace = os.fsync, os.replace
_chosen: list[str] = os.environ.get("SSML_KILL", "").split(maxsplit=3)
_renames = False  # the next rename is the one


def _count(file: str) -> int:
    with open(file, "a+") as counter:
        fcntl.flock(counter, fcntl.LOCK_EX)
        counter.seek(0)
        n = len(counter.read()) + 1
        counter.write("x")
    return n


def _die(whom: str) -> None:
    if whom == "group":
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def fsync(handle: int) -> None:
    global _renames
    moment, n, whom, file = _chosen
    chosen = _count(file) == int(n)
    _fsync(handle)
    if chosen and moment == "half":
        os.truncate(f"/proc/self/fd/{handle}", os.fstat(handle).st_size // 2)
    if chosen and moment != "renamed":
        _die(whom)
    _renames = chosen


def replace(old, new, **options) -> None:  # type: ignore[no-untyped-def]
    _replace(old, new, **options)
    if _renames:
        _die(_chosen[2])


if _chosen:
    os.fsync, os.replace = fsync, replace  # type: ignore[assignment]
