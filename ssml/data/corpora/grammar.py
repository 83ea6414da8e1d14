"""The sentences of the synthetic corpus: fixed patterns of word classes, some 10^8 sentences.

The words of a class differ in more than one phone. All classes together contain all phones of
English, and all words are in PocketSphinx's dictionary. A hash of the sentence decides which split
may use it, so training and test share no sentence, however many are drawn.
"""

import hashlib
import math

import numpy as np

CLASSES: dict[str, str] = {
    "when": "yesterday|tomorrow|this morning|last winter|every sunday|once again|at midnight|"
    "in july|before lunch|after school|on thursday|most evenings",
    "who": "my father|the doctor|a stranger|our teacher|young charlie|miss jackson|the captain|"
    "your cousin|her neighbor|one soldier|the old judge|george",
    "did": "carried|found|watched|bought|pushed|measured|followed|ordered|described|washed|forgot|"
    "enjoyed",
    "count": "two|three|four|five|seven|eight|nine|eleven|thirteen|twenty|fifty|several",
    "how": "yellow|heavy|broken|shining|tiny|purple|wooden|ancient|cheap|famous|quiet|golden",
    "what": "boxes|horses|letters|engines|flowers|shirts|oranges|fishes|voyages|kitchens|mirrors|"
    "jewels",
    "where": "under the bridge|near the river|behind our house|across the valley|on the beach|"
    "beside a church|in the garden|at the station|outside the theater|above the village|"
    "around the corner|through the forest",
    "why": "for pleasure|without thinking|because of you|by mistake|with a smile|to make money|"
    "against the rules|just for us|in good time|as usual|while laughing|with both hands",
}
PATTERNS: tuple[tuple[str, ...], ...] = (
    ("when", "who", "did", "count", "how", "what", "where"),
    ("who", "did", "count", "how", "what", "where", "why"),
    ("where", "who", "did", "count", "how", "what", "why"),
)
SHARES = {"test": 0.25, "dev": 0.125, "train": 0.625}  # of all sentences


def size() -> int:
    """How many sentences the grammar has."""
    return sum(math.prod(len(phrases(name)) for name in pattern) for pattern in PATTERNS)


def phrases(name: str) -> list[str]:
    """The phrases of a word class."""
    return CLASSES[name].split("|")


def words() -> set[str]:
    """Every word of the grammar, in lower case."""
    return {word for name in CLASSES for phrase in phrases(name) for word in phrase.split()}


def sentence(random: np.random.Generator) -> str:
    """A random sentence in lower case."""
    pattern = PATTERNS[random.integers(len(PATTERNS))]
    return " ".join(str(random.choice(phrases(name))) for name in pattern)


def split(text: str) -> str:
    """The one split that may use the sentence `text`."""
    position = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) / 2**32
    for name, share in SHARES.items():
        if position < share:
            return name
        position -= share
    return "train"


def jsgf() -> str:
    """The grammar in JSGF, for recognisers; words in lower case."""
    rules = [f"<{name}> = {' | '.join(phrases(name))};" for name in CLASSES]
    choices = [" ".join(f"<{name}>" for name in pattern) for pattern in PATTERNS]
    return "\n".join(
        ["#JSGF V1.0;", "grammar ssml;", f"public <sentence> = {' | '.join(choices)};", *rules, ""]
    )
