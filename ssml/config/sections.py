"""One frozen model per section of params.yaml; unknown, missing and ill-typed keys are errors.

The docstring below a key is what `ssml params explain` prints.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from ssml.files import own

from .fields import (
    Choice,
    Count,
    Name,
    Natural,
    NotNegative,
    Positive,
    Section,
)
from .mixtures import RedrawParams
from .names import (
    BOUND_NAMES,
    CORPUS_NAMES,
    LOSS_NAMES,
    NETWORK_NAMES,
    PEER_RULES,
    RecogniserName,
    ReferenceName,
    RuleName,
)


class SyntheticParams(Section):
    """Voices and utterances (a voice) spoken by espeak-ng."""

    voices: dict[Literal["train", "dev", "test"], Count]
    """number in each split"""
    utterances: dict[Literal["train", "dev", "test"], Count]
    """of each voice, in each split"""


class LibriSpeechParams(Section):
    """A LibriSpeech folder: which subsets make which split."""

    root: str | None
    """its folder; null: the environment's SSML_LIBRISPEECH"""
    train: list[str]
    """subsets to train on"""
    dev: list[str]
    """subsets; none: `held_out` speakers of the training subsets"""
    test: list[str]
    """subsets to test on"""
    held_out: Natural
    """number of speakers, where `dev` is empty"""
    utterances: str | None
    """a list of utterance ids, one a line: no others are used"""
    download: bool
    """fetch missing subsets from openslr.org"""


class CorpusParams(Section):
    source: Annotated[str, Choice(CORPUS_NAMES)]
    """which corpus is used; an own one by `module:function`"""
    synthetic: SyntheticParams
    librispeech: LibriSpeechParams
    options: dict[str, Any] = Field(default_factory=dict)
    """arguments of an own corpus; root: the folder of its audio"""


class StftParams(Section):
    n_fft: Annotated[int, Field(ge=64, multiple_of=2)]
    """window, samples"""
    hop: Count
    """samples"""

    @model_validator(mode="after")
    def frames_overlap(self):
        if self.hop > self.n_fft // 2:
            raise ValueError(f"hop: {self.hop} is above half of n_fft, {self.n_fft}; lower it")
        return self


class VariantParams(Section):
    """One training of the learned surrogate."""

    loss: Annotated[str, Choice(LOSS_NAMES)]
    """what the separation is trained for; an own one by `module:function`"""
    network: dict[str, Any]
    """{name: ..., and its arguments}; an own one by `module:Class`"""
    rule: RuleName
    """update rule of the iterations that are trained through"""
    stft: StftParams
    iterations: tuple[Count, Count]
    """that a gradient goes through, drawn anew for each step"""
    before: tuple[Natural, Natural] = (0, 0)
    """iterations without a gradient before these, drawn anew for half of the steps"""
    middle: NotNegative = 0
    """weight of the loss half way through the iterations"""
    divergence: NotNegative = 0
    """weight of the Itakura-Saito divergence between the sources' powers and the inverse weights"""
    above: NotNegative = 0
    """network, loss and validation know nothing of what lies below, Hz"""
    batch: Count
    """cuts of mixtures in a step"""
    seconds: Positive
    """length of the cuts, s"""
    steps: Count
    """of the optimiser"""
    lr: Positive
    """learning rate at its highest"""
    warmup: Natural
    """steps in which the rate rises to that"""
    decay: Annotated[float, Field(gt=0, le=1)]
    """share of lr that the second half falls to; 1: none"""
    clip: Annotated[float, Field(gt=0, le=100)]
    """percentile of the past gradient norms (AutoClip)"""
    average: Annotated[float, Field(ge=0, lt=1)]
    """decay of the weights' moving average, a step"""
    recompute: bool
    """memory that does not grow with the iterations, for a third more time"""
    validate_every: Count
    """steps"""
    checkpoint_every: Count
    """steps"""
    seed: Natural = 1
    """of the initial weights and of all draws; `train.seeds` sets it"""
    taps: Natural = 0
    """past frames that are filtered too, against the echo of the room"""
    delay: Count = 2
    """from a frame to the first of its past frames, in frames"""
    reference: ReferenceName = "reverberant"
    """image of a source that it is trained towards; early: direct sound and 50 ms"""
    start: str | None = None
    """variant, shipped model or path whose weights it starts from"""

    @property
    def idle(self) -> set[str]:
        """Keys that change nothing as they are: digests leave them out."""
        return _without_past(self) | ({"reference"} if self.reference == "reverberant" else set())

    @model_validator(mode="after")
    def recomputed_is_the_last(self):
        if self.recompute and (self.middle or self.divergence):
            raise ValueError("recompute: only the last state is there; set middle, divergence to 0")
        return self

    @field_validator("network")
    @classmethod
    def network_is_known(cls, network: dict[str, Any]):
        Choice(NETWORK_NAMES, "name: ").check(network.get("name"))
        return network


def _without_past(section: Any) -> set[str]:
    return {"taps", "delay"} if section.taps == 0 else set()


class TrainParams(Section):
    train: Name
    """set of `scenes.sets` to train on"""
    redraw: RedrawParams | None
    """draw new mixtures in stored rooms; null: cut stored mixtures"""
    dev: Name | Annotated[list[Name], Field(min_length=1)]
    """set to validate on, or several"""
    devices: Count
    """processes that share each batch, on a GPU each where there are GPUs"""
    threads: Count
    """of the CPU, of each training; another number rounds otherwise"""
    seeds: Annotated[list[Natural], Field(min_length=1)]
    """each training is done once for each"""
    variants: dict[Name, VariantParams]
    """trainings, by the name of what they make; {}: none"""

    @property
    def validation(self) -> list[str]:
        """The sets to validate on."""
        return [self.dev] if isinstance(self.dev, str) else self.dev


class MethodParams(Section):
    model: str
    """a classical, own or peer model, a bound, a variant of `train`, or a checkpoint's path"""
    rule: RuleName
    """update rule"""
    iterations: Count
    """of AuxIVA"""
    stft: StftParams | None = None
    """of a model that is not learned; null: that of all methods"""
    options: dict[str, Any] = Field(default_factory=dict)
    """of a classical model (rank, alike, floor of nmf; floor of laplace, gauss) or of an own one"""
    repeats: str | None = None
    """the method whose model was trained with another seed; `train.seeds` sets it"""
    taps: Natural = 0
    """past frames that are filtered too, against the echo of the room"""
    delay: Count = 2
    """from a frame to the first of its past frames, in frames"""
    network: str | None = None
    """`module:Class` of a checkpoint at a path whose network is own code"""
    mixtures: Count | None = None
    """the first so many of each set; null: all"""
    sets: Annotated[list[Name], Field(min_length=1)] | None = None
    """of `separate.sets`, to test on; null: all"""

    @property
    def idle(self) -> set[str]:
        """Keys that change nothing as they are, or in a set alone."""
        return _without_past(self) | {"sets"}

    @property
    def is_bound(self) -> bool:
        """Whether `model` is told the sources: it shows what could be reached."""
        return self.model in BOUND_NAMES

    @property
    def is_own(self) -> bool:
        """Whether `model` is a user's own source model, `module:name`."""
        return own.is_own(self.model) and not self.is_peer

    @property
    def is_peer(self) -> bool:
        """Whether `model` is a separator of another package."""
        return self.model in PEER_RULES

    @property
    def is_path(self) -> bool:
        """Whether `model` names a checkpoint's file."""
        return "/" in self.model or self.model.endswith(".safetensors")


class SeparateParams(Section):
    sets: Annotated[list[Name], Field(min_length=1)]
    """of `scenes.sets`, to test on"""
    stft: StftParams
    """of the models that are not learned; a learned one brings its own"""
    methods: dict[Name, MethodParams]


class ScoreParams(Section):
    sdr_taps: Count
    """length of BSS-eval's distortion filter, samples"""
    pesq: bool
    """measure PESQ too, by the extra `pesq`: slow"""
    reference: ReferenceName = "reverberant"
    """image of a source that outputs are compared with; early: direct sound and 50 ms"""

    @property
    def idle(self) -> set[str]:
        """Keys that change nothing as they are: digests leave them out."""
        return {"reference"} if self.reference == "reverberant" else set()


class TranscribeParams(Section):
    recogniser: RecogniserName
    """what turns audio into words"""
    options: dict[str, Any]
    """its own settings"""
    mixtures: Natural
    """the first so many of each set; 0: none"""
    methods: list[Name] | Literal["all"]
    """of `separate.methods`"""
    sets: Annotated[list[Name], Field(min_length=1)] | None = None
    """of `separate.sets`; null: all"""


class TrackParams(Section):
    experiment: str
    """name in MLflow"""


class ReportParams(Section):
    title: str
    """of the page"""
    classical: Name
    """the method that the claims compare with"""
    learned_sdr: Name
    """method"""
    learned_coherence: Name
    """method"""
    other_rules: list[Name]
    """methods with rules not trained with"""
