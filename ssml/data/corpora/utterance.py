"""An utterance as the rest of the project sees it."""

from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "dev", "test"]


@dataclass(frozen=True)
class Utterance:
    """One utterance of one speaker, mono, at `names.RATE`."""

    split: str  # train, dev or test
    speaker: str
    sex: str  # F, M, or '' where unknown
    utterance: str  # like LibriSpeech's 1688-142285-0000
    path: str  # relative to the corpus's root, with slashes
    samples: int
    sha256: str  # of the file
    text: str  # '' without a transcript
