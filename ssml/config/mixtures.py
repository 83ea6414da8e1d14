"""The sections of params.yaml that say which mixtures there are: scenes, mix, train.redraw."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .fields import (
    Count,
    Name,
    NotNegative,
    Positive,
    PositiveRange,
    Range,
    Section,
    Share,
)

Talkers = Annotated[int, Field(ge=2, le=8)]


class MeasuredParams(Section):
    """A room whose responses were measured: a folder of `sourceN.wav`, a channel a microphone.

    The microphones stand in equal lines, one line after the other in the order of the channels.
    """

    root: str | None
    """its folder; null: the environment's SSML_RESPONSES"""
    arrays: Count
    """number of lines of microphones"""
    pitch: Positive
    """between neighbours in a line, m"""
    spacing: Positive
    """between neighbouring microphones of a mixture, m; a multiple of `pitch`"""
    training: bool = False
    """allow `train.train` and `train.dev` to use it"""

    @property
    def step(self) -> int:
        """From a mixture's microphone to its neighbour, in channels."""
        return round(self.spacing / self.pitch)

    @model_validator(mode="after")
    def spacing_is_a_multiple(self):
        if not self.step or abs(self.step * self.pitch - self.spacing) > 1e-6:
            raise ValueError(
                f"spacing: {self.spacing} is no multiple of pitch, {self.pitch}; change one"
            )
        return self


class SetParams(Section):
    """A set of mixtures.

    `min` cuts utterances to the shortest, `max` pads them to the longest, `random` takes a part of
    random length of each and pads that.
    """

    split: Literal["train", "dev", "test"]
    """whose speakers talk"""
    speakers: Talkers
    """in each mixture, at as many microphones"""
    mixtures: Count
    """number"""
    length: Literal["min", "max", "random"]
    """min cuts utterances to the shortest, max pads to the longest, random takes a part of each"""
    seconds: PositiveRange
    """s; utterances outside are not used; longer ones are, and cut, but with max"""
    measured: Name | None = None
    """room of `scenes.measured` in which they talk; null: simulated rooms"""
    varied: Share = 0
    """of the simulated rooms: as of `ssml/data/varied.py`, less of a shoebox"""

    @model_validator(mode="after")
    def measured_rooms_are_as_they_are(self):
        if self.measured and self.varied:
            raise ValueError("varied: only simulated rooms can be; remove it, or `measured`")
        return self


class ScenesParams(Section):
    room_length: PositiveRange
    """m"""
    room_width: PositiveRange
    """m"""
    room_height: PositiveRange
    """m"""
    t60: PositiveRange
    """reverberation time, s"""
    array_jitter: NotNegative
    """from the room's centre, in x and y, m"""
    array_height: PositiveRange
    """of the microphones above the floor, m"""
    array_radius: PositiveRange
    """of the sphere with the microphones, m"""
    mic_spacing: Positive
    """between microphones, m, at least"""
    speaker_square: Positive
    """side of the square around the centre, m"""
    speaker_height: PositiveRange
    """m"""
    speaker_array: Positive
    """from a speaker to the array, m, at least"""
    speaker_spacing: Positive
    """between speakers, m, at least"""
    level: Range
    """of each later speaker against the first, on the reverberant images, dB"""
    snr: Range
    """of the mixture against the noise, dB"""
    tries: Count
    """placements that are drawn before giving up"""
    measured: dict[Name, MeasuredParams] = Field(default_factory=dict)
    """rooms whose responses were measured, by name"""
    sets: dict[Name, SetParams]


class MixParams(Section):
    shard: Count
    """mixtures in a file"""
    max_order: Count
    """highest order of reflection in the image source method"""
    noise: str
    """white, diffuse (speech-shaped), or a folder of recordings, which are made diffuse"""


class DisturbanceParams(Section):
    """What recordings have beside talkers: the share of the redrawn mixtures that has it."""

    pause: Share
    """the last talker is heard for 15 to 50 % of the time"""
    offset: Share
    """a constant, of another size at each microphone, up to 20 dB above the voices"""
    hum: Share
    """a tone of 20 to 60 Hz with harmonics, up to 10 dB above the voices"""
    wind: Share
    """noise below 30 to 80 Hz that swells, of its own at each microphone, up to 10 dB above them"""
    band: Share
    """nothing above 3.4 to 5.5 kHz; in a third of them nothing below 300 Hz either"""
    noises: dict[Literal["white", "pink", "point"], Share]
    """in place of `mix.noise`: independent at each microphone, or of one loudspeaker"""

    @model_validator(mode="after")
    def noises_are_shares(self):
        if sum(self.noises.values()) > 1:
            raise ValueError("noises: their shares add up to more than 1; lower one")
        return self


class RedrawParams(Section):
    """Only the rooms of the training set: all else is drawn anew at each step, as it says here."""

    level: Range
    """of each later speaker against the first, on the reverberant images, dB"""
    snr: Range
    """of the mixture against the noise, dB"""
    speed: PositiveRange
    """of a speaker: pitch and formants change with it"""
    tone: NotNegative
    """of a speaker: each octave louder or softer by up to so, dB"""
    talkers: list[Talkers] = Field(default_factory=list[Talkers])
    """how many of a room's speakers talk, drawn for each step; []: all of them"""
    disturbances: DisturbanceParams | None = None
    """null: none"""
