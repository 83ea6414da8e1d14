"""What may have gone wrong in a separation, the likeliest cause first, and the command to try."""

import shlex
from collections.abc import Sequence
from typing import Any

import numpy as np

from .quality import FAILED, GOOD

MOST = 2  # hints that are given
STILL = 0.01  # change by the last iteration above which more iterations are worth while
ALIKE = 0.4  # correlation of envelopes that few pairs of talkers exceed
FAINT = -30.0  # dB, level of an output against the loudest output
SINGULAR = 50.0  # condition number, median over bins
WINDOWS = 3.5  # T60 over the window's length above which the window misses much of the echoes
BRIEF = 2.0  # s, length of a recording below which separation is poor
EACH = 1.0  # s for each output below which there are few frames
LONG = 20.0  # s, from which a longer window has enough frames


def hints(
    figures: dict[str, Any], seconds: float, command: str = "ssml separate IN OUT --force"
) -> list[str]:
    """At most two causes for a recording of `seconds` s, the likeliest first.

    command: what to repeat with the options that a hint names.
    """
    if figures["silent"]:
        return ["the recording is silent"]
    causes = [*_of_channels(figures), *_of_recording(figures, seconds), *_of_outputs(figures)]
    return [
        f"{text}; {_with(command, option)}" if option else text for text, option in causes[:MOST]
    ]


def _with(command: str, options: str) -> str:
    """The command with the options, in place of those of the same name that it has."""
    given = [word for word in shlex.split(options) if word.startswith("--")]
    words = shlex.split(command)
    kept = [
        word
        for before, word in zip(["", *words], words, strict=False)
        if word not in given and not (before in given and not word.startswith("--"))
    ]
    return f"{shlex.join(kept)} {options}"


Cause = tuple[str, str]  # what is wrong, and the options that may mend it


def _of_channels(figures: dict[str, Any]) -> list[Cause]:
    silent, same, clipped = (
        figures[f"{key}_channels"] for key in ("silent", "identical", "clipped")
    )
    near, opposite = (figures.get(f"{key}_channels", []) for key in ("equal", "opposite"))
    drifting, late = (figures.get(f"{key}_channels", []) for key in ("drifting", "late"))
    found: list[Cause] = []
    if drifting and not figures.get("aligned"):
        told = ", ".join(f"channel {m} by {ppm:g} ppm" for m, ppm in drifting)
        found.append((f"the clocks of the channels drift apart ({told})", "--align"))
    elif late and not figures.get("aligned"):
        told = ", ".join(f"channel {m} by {ms:g} ms" for m, ms in late)
        found.append((f"channels are late or early ({told})", "--align"))
    if silent:
        found.append((_which(silent, "is silent: leave it out", "are silent: leave them out"), ""))
    if same:
        told = f"channels are identical ({_pairs(same, '=')})"
        found.append((f"{told}: a mono recording cannot be separated", ""))
    elif opposite:
        told = f"channels are opposite ({_pairs(opposite, '= -')})"
        found.append((f"{told}: one signal, inverted, cannot be separated", ""))
    elif near:
        told = f"channels are nearly equal ({_pairs(near, '~')})"
        found.append((f"{told}: microphones this close, or copies, cannot be separated", ""))
    if clipped:
        found.append((_which(clipped, "clips", "clip") + ": record at a lower level", ""))
    return found


def _of_recording(figures: dict[str, Any], seconds: float) -> list[Cause]:
    K, found = len(figures["levels"]), list[Cause]()
    if seconds < BRIEF:
        text = f"only {seconds:.1f} s long, too little to separate: give 5 s or more"
        found.append((text, ""))
    elif seconds < EACH * K and K > 2:
        found.append((f"{seconds:.1f} s are little for {K} outputs, if fewer talk", "--sources 2"))
    return found


def _of_outputs(figures: dict[str, Any]) -> list[Cause]:
    K, found = len(figures["levels"]), list[Cause]()
    faint = [k + 1 for k, level in enumerate(figures["levels"]) if level < FAINT]
    one = figures.get("one_channel") or any(
        figures.get(f"{key}_channels") for key in ("identical", "opposite", "equal")
    )
    if faint and not one:
        text = f"output {', '.join(map(str, faint))} is faint: "
        fewer = K - len(faint)
        is_one = fewer < 2
        text += "perhaps only one talks" if is_one else f"perhaps only {fewer} talk"
        found.append((text, "" if is_one else f"--sources {fewer}"))
    elif figures["likeness"] > ALIKE and not one and figures.get("quality") != GOOD:
        fewer = f"perhaps fewer than {K} talk" if K > 2 else "perhaps only one talks"
        text = f"the outputs rise and fall together: {fewer}, or they are not separated"
        other = "" if figures.get("model") == "gauss" else "--model gauss"
        found.append((text, "--sources 2" if K > 2 else other))
    elif figures.get("quality") == FAILED and not one:
        text = "the outputs are probably still mixed: record longer, or nearer to the talkers"
        text += f"; if fewer than {K} talk, say how many" if K > 2 else ""
        found.append((text, "--sources 2" if K > 2 else ""))
    if figures["last_change"] is not None and figures["last_change"] > STILL:
        found.append(("the outputs were still changing", "--iterations 100"))
    if figures["condition"] > SINGULAR and not one:
        text = "the filters are nearly singular: microphones too close, or more than talkers"
        found.append((text, "--sources 2" if K > 2 else ""))
    t60 = figures["t60"]
    if t60 is not None and t60 > WINDOWS * figures["window"]:
        text = "the room echoes longer than the window holds: microphones nearer to the talkers"
        longer = 2 ** round(np.log2(2 * figures["window"] * figures.get("fs", 16000)))
        is_long = figures.get("seconds", LONG) >= LONG
        option = f"--model gauss --n-fft {longer}" if is_long else ""
        found.append((text + (", or a longer window" if is_long else ""), option))
    if figures["lost_above"]:
        limit = f"{figures['lost_above'] / 1000:g} kHz"
        found.append((f"this model removes everything above {limit}", "--model gauss"))
    return found


def _pairs(pairs: Sequence[Sequence[int]], sign: str) -> str:
    return ", ".join(f"{i} {sign}{' ' if len(sign) == 1 else ''}{j}" for i, j in pairs)


def _which(channels: Sequence[int], one: str, more: str) -> str:
    some = len(channels) > 1
    listed = ", ".join(map(str, channels))
    return f"channel{'s' if some else ''} {listed} {more if some else one}"
