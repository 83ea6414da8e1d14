"""What separates where nothing is said: the best known model, rule, iterations and window.

The rule and the window of a classical model are those with its highest SI-SDR in the study in
docs/results.md. There, 50 iterations reach that of 100 within 0.1 dB.
"""

from typing import NamedTuple

AUTO = "auto"  # the name of the choice
LEARNED = "learned"  # trained on narrow bands too
LOWEST = 8000  # Hz, the lowest rate of a recording that it is used for
FITTING = "gauss"  # for lower rates, another window, or few frames
FRAMES = 4  # for each source and frame that is filtered: with fewer, a learned model diverges


class Settings(NamedTuple):
    """How a source model is run."""

    rule: str
    iterations: int
    window: float  # s


CLASSICAL = {
    "laplace": Settings("ip2", 50, 0.256),
    "gauss": Settings("ip2", 50, 0.256),
    "nmf": Settings("ip2", 50, 0.128),
}
OTHER = Settings("iss", 20, 0.128)  # of any callable
