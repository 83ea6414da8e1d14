"""Small file systems that may be filled; root may mount them, where it may at all."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[bool]:
    """A file system of `size` (1g, 64k) in `folder` meanwhile, and whether that could be had."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    done = False
    with suppress(OSError):  # no such command
        done = os.name == "posix" and not subprocess.run(command, capture_output=True).returncode
    try:
        yield done
    finally:
        if done:
            subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def full(folder: Path, room: int = 0) -> Iterator[None]:
    """No more than `room` bytes are free in the file system of `folder` meanwhile."""
    ballast = folder / "ballast"
    with open(ballast, "wb") as file:
        size = 0
        for step in (2**20, 4096):  # others write and remove meanwhile
            with suppress(OSError):
                while True:
                    os.posix_fallocate(file.fileno(), size, step)
                    size += step
        file.truncate(size - room)
    try:
        yield
    finally:
        ballast.unlink()
