"""When kernels are compiled, and how long that took, for who measures or announces it.

Apart from `compiled`, which needs numba: that takes a moment to import.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Clock:
    """Adds up the time in which this process compiles; numba compiles one kernel at a time."""

    def __init__(self) -> None:
        self.seconds = 0.0  # so far
        self._depth, self._began = 0, 0.0  # a kernel's own functions are compiled within it
        self._announce: Callable[[], None] | None = None

    def start(self) -> None:
        if self._announce is not None:
            self._announce()
            self._announce = None
        if self._depth == 0:
            self._began = time.monotonic()
        self._depth += 1

    def stop(self) -> None:
        self._depth -= 1
        if self._depth == 0:
            self.seconds += time.monotonic() - self._began

    @contextmanager
    def announcing(self, announce: Callable[[], None]) -> Iterator[None]:
        """Call `announce` when a kernel is first compiled in the block."""
        before, self._announce = self._announce, announce
        try:
            yield
        finally:
            self._announce = before


clock = Clock()
