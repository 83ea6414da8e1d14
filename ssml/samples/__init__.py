"""The sample recording that comes with the package; README.md beside it names its sources."""

from pathlib import Path

FOLDER = Path(__file__).parent
MIXTURE = FOLDER / "two-talkers.flac"  # (2 microphones, N) at 16 kHz
REFERENCES = (
    FOLDER / "two-talkers-references.flac"
)  # (2 talkers, N), images at the first microphone
