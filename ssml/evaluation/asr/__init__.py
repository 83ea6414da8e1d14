"""Recognisers, audio -> words, and word error rates. Creating a recogniser imports its package."""

from collections.abc import Callable

from .hub import Hub
from .recogniser import Recogniser
from .sphinx import PocketSphinx
from .whisper import Whisper
from .words import WordErrors, align, fewest_errors, has_loop, normal, wer, word_errors

__all__ = [
    "ASR",
    "Recogniser",
    "WordErrors",
    "align",
    "fewest_errors",
    "has_loop",
    "normal",
    "wer",
    "word_errors",
]

# name in params.yaml -> what makes one from a grammar (or None) and `transcribe.options`
ASR: dict[str, Callable[..., Recogniser]] = {
    "pocketsphinx": PocketSphinx,
    "faster-whisper": Whisper,
    "transformers": Hub,
}
