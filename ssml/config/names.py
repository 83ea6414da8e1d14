"""Facts that every stage shares: the sampling rate, and the names in parameters and the command.

The names are those of `UPDATES`, `LOSSES`, `CLASSICAL`, `NETWORKS`, `CORPORA` and `ASR`. They are
stated here too, so that a wrong name is an error before any job starts, and without importing
torch. A test compares both. A new name reruns nothing: see `CHOICES` in `ssml.files.provenance`.
"""

from typing import Literal, get_args

Rate = Literal[16000]
RATE: Rate = get_args(Rate)[0]  # Hz: of every corpus, every trained model and the whole pipeline
RuleName = Literal["iss", "iss-6-sweeps", "ip", "ip2"]
LossName = Literal["sdr", "coherence"]
NetworkName = Literal["glu", "gru", "dilated", "banded"]
ClassicalName = Literal["laplace", "gauss", "nmf"]
CorpusName = Literal["synthetic", "librispeech"]
# what becomes of more microphones than sources
ReductionName = Literal["pca", "background"]
PCA, BACKGROUND = REDUCTIONS = get_args(ReductionName)
ReferenceName = Literal["reverberant", "early"]
BoundName = Literal["true-source", "least-squares"]
RecogniserName = Literal["pocketsphinx", "faster-whisper", "transformers"]
# separators of other packages -> the update rules they have
PEER_RULES: dict[str, tuple[str, ...]] = {
    "peer:ssspy-laplace": ("iss", "ip", "ip2"),
    "peer:ssspy-ilrma": ("iss", "ip", "ip2"),
    "peer:pyroomacoustics-auxiva": ("ip",),
    "peer:pyroomacoustics-ilrma": ("ip",),
    "peer:pyroomacoustics-fastmnmf2": ("ip",),
}
CLASSICAL_NAMES: tuple[str, ...] = get_args(ClassicalName)
# in a trained model's card, what the training came to; all else there is what it was given
REACHED = ("parameters", "dev_si_sdr", "skipped")
NETWORK_NAMES: tuple[str, ...] = get_args(NetworkName)
LOSS_NAMES: tuple[str, ...] = get_args(LossName)
CORPUS_NAMES: tuple[str, ...] = get_args(CorpusName)
BOUND_NAMES: tuple[str, ...] = get_args(BoundName)
