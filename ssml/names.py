"""The names that parameters and the command may hold: stated here too, without importing torch.

They are those of `UPDATES`, `LOSSES`, `CLASSICAL`, `NETWORKS` and `ASR`, so that a wrong one is an
error before any job starts. A test holds them equal.
"""

from typing import Literal, get_args

RuleName = Literal["iss", "iss6", "ip", "ip2"]
LossName = Literal["sdr", "coherence"]
NetworkName = Literal["glu", "gru", "dilated", "banded"]
ClassicalName = Literal["laplace", "gauss", "nmf"]
BoundName = Literal["true-source", "least-squares"]
RecogniserName = Literal["pocketsphinx", "faster-whisper", "transformers"]
CLASSICAL_NAMES: tuple[str, ...] = get_args(ClassicalName)
# in a trained model's card, what the training came to; all else there is what it was given
REACHED = ("parameters", "dev_si_sdr", "skipped")
NETWORK_NAMES: tuple[str, ...] = get_args(NetworkName)
BOUND_NAMES: tuple[str, ...] = get_args(BoundName)
