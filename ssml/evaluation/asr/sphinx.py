"""PocketSphinx: free speech by its own US-English model, or the sentences of a grammar."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ssml.files.errors import UserError, install

from .recogniser import Recogniser, check_rate, hearable

RATE = 16000  # Hz, of PocketSphinx's US-English model
PEAK = 0.5  # of full scale, whatever the level of the audio
GRAMMAR = "grammar"  # the name of the search

# Defaults for PocketSphinx, which `options` override.
COMMON = {
    "loglevel": "FATAL",
    "cmn": "batch",  # the mean of this utterance, not of those before
}
# Halves the time (0.21 s a second of LibriSpeech on a core, 0.25 of mixtures) at the same WER.
FREE: dict[str, Any] = {"maxhmmpf": 3000}
# 0.02 s a second, 0.03 of mixtures; narrower beams gain a quarter and lose hits.
CONSTRAINED: dict[str, Any] = {}


class PocketSphinx(Recogniser):
    """A PocketSphinx recogniser of 16 kHz US English: of a JSGF `grammar`, or of free speech.

    Where no whole sentence of the grammar fits, the words are those of the best path within it.
    `options` are PocketSphinx's configuration keys (`beam`, `lw`, `maxhmmpf`, ...). Raises
    `UserError` for an unknown key, an unfit value, a malformed grammar and one of unknown words.
    """

    def __init__(self, grammar: str | None = None, **options: Any) -> None:
        try:
            import pocketsphinx as package
        except ImportError:
            raise UserError(
                f"transcribe.recogniser: pocketsphinx is not installed; {install('pipeline')}"
            ) from None
        settings = {**COMMON, **(FREE if grammar is None else CONSTRAINED), **options}
        package.set_loglevel("FATAL")  # before a Config parses anything: it prints to the terminal
        self.decoder = _decoder(package, settings, grammar)

    def many(self, audio: Sequence[np.ndarray], fs: int) -> list[str]:
        check_rate("pocketsphinx", fs, RATE)
        return [self._one(signal) for signal in audio]

    def _one(self, audio: np.ndarray) -> str:
        audio = np.asarray(audio, dtype=np.float64)
        if not hearable(audio, RATE):
            return ""
        samples = np.round(audio / np.abs(audio).max() * PEAK * 32767).astype("<i2")
        self.decoder.start_stream()
        self.decoder.start_utt()
        self.decoder.process_raw(samples.tobytes(), full_utt=True)
        # once the utterance has ended, paths that reached no final state of the grammar are gone
        partial = self.decoder.hyp()
        self.decoder.end_utt()
        found = self.decoder.hyp() or partial
        return _plain(found.hypstr) if found else ""


def _decoder(package: Any, settings: dict[str, Any], grammar: str | None) -> Any:
    """A decoder of `settings`, with the search that `grammar` asks for made active."""
    config = package.Config()
    for key, value in settings.items():
        try:
            config[key] = value
        except KeyError:
            raise UserError(
                f"transcribe.options.{key}: no such PocketSphinx option; remove it"
            ) from None
        except (TypeError, ValueError) as error:
            raise UserError(f"transcribe.options.{key}: {value!r} is unfit ({error})") from None
    if grammar is not None:
        config["lm"] = None  # 27 MB that a grammar never looks at
    try:
        decoder = package.Decoder(config)
    except RuntimeError as error:
        raise UserError(
            f"transcribe.options: PocketSphinx refuses {settings} ({error}); correct a value"
        ) from None
    if grammar is not None:
        _search(decoder, grammar)
    return decoder


def _search(decoder: Any, grammar: str) -> None:
    """Make `decoder` search the JSGF `grammar`; PocketSphinx itself passes over unknown names."""
    words, rules = _names(grammar)
    unknown = [f"<{rule}>" for rule in rules]
    unknown += [word for word in words if decoder.lookup_word(word) is None]
    try:
        if not unknown:
            decoder.add_jsgf_string(GRAMMAR, grammar)
            decoder.activate_search(GRAMMAR)
    except (RuntimeError, ValueError) as error:
        raise UserError(f"grammar: not valid JSGF ({error}); correct it") from None
    if unknown:
        names = ", ".join(unknown)
        raise UserError(f"grammar: neither rules nor words of the dictionary: {names}; use others")


def _names(grammar: str) -> tuple[list[str], list[str]]:
    """The words that a JSGF grammar may recognise, and the rules that it lacks, both sorted."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", grammar, flags=re.DOTALL)
    text = re.sub(r"#JSGF[^;]*;|\b(grammar|import)\s[^;]*;|\bpublic\b", " ", text)
    rules = set(re.findall(r"<([^>]*)>", text)) - set(re.findall(r"<([^>]*)>\s*=", text))
    text = re.sub(r"<[^>]*>|\{[^}]*\}|/[\d.eE+-]+/", " ", text)
    return sorted(set(re.findall(r"[^\s=;|()\[\]*+\"]+", text))), sorted(rules - {"NULL", "VOID"})


def _plain(text: str) -> str:
    """Upper-case words without the numbers of alternative pronunciations, `the(2)`."""
    return " ".join(re.sub(r"\(\d+\)", "", text).upper().split())
