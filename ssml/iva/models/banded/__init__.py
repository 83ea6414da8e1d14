"""The network `banded`: weights shared over frequency, compiled on a CPU."""

from .network import Banded as Banded
