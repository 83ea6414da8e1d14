"""The measures of a voice on signals whose pitch and spectrum are known, and the choice by them."""

import numpy as np
import pytest

from ssml.data.corpora import voices
from ssml.data.corpora.voices import BANDS, Measure, Voice
from ssml.files.errors import UserError

FS = 16000


def buzz(f0: float, tilt: float = 1.0, seconds: float = 1.0) -> np.ndarray:
    t = np.arange(int(seconds * FS)) / FS
    return sum(np.cos(2 * np.pi * k * f0 * t) / k**tilt for k in range(1, int(7000 / f0)))


def voice(variant: str, pitch: int = 50) -> Voice:
    return Voice("en-us", variant, pitch, 150)


def points(*f0: float) -> dict[Voice, Measure]:
    return {voice(str(f)): Measure(f, 1.0, np.zeros(BANDS)) for f in f0}


@pytest.mark.parametrize("f0", [70, 110, 180, 240, 330])
def test_f0_of_a_periodic_signal(f0):
    measure = voices.measure(buzz(f0), FS)
    assert measure.f0 == pytest.approx(f0, rel=0.02)
    assert measure.voiced > 0.9


def test_noise_is_not_voiced():
    assert voices.measure(np.random.default_rng(0).normal(size=FS), FS).voiced < voices.VOICED


def test_distance_is_a_metric_of_pitch_and_timbre_and_not_of_level():
    a, b, c = (voices.measure(x, FS) for x in (buzz(100), buzz(200), buzz(100, tilt=2)))
    louder = voices.measure(3 * buzz(100), FS)
    assert a.distance(louder) == pytest.approx(0, abs=1e-6)
    assert a.distance(b) == pytest.approx(b.distance(a)) and a.distance(b) >= 4
    assert a.distance(c) > 1
    assert a.distance(b) <= a.distance(c) + c.distance(b) + 1e-9


def test_farthest_takes_the_extremes_first():
    chosen = voices.farthest(points(100, 110, 200, 400), 3)
    assert [item.variant for item in chosen] == ["100", "400", "200"]
    apart = list(points(400).values())
    assert voices.farthest(points(100, 110, 200), 1, apart)[0].variant == "100"


def test_farthest_prefers_a_variant_not_yet_taken():
    pool = {
        voice("a", 20): Measure(80, 1.0, np.zeros(BANDS)),
        voice("a", 80): Measure(300, 1.0, np.zeros(BANDS)),
        voice("b", 50): Measure(90, 1.0, np.zeros(BANDS)),
    }
    assert [item.variant for item in voices.farthest(pool, 3)] == ["a", "b", "a"]


def test_too_many_voices_is_an_error_that_says_how_many_there_are():
    with pytest.raises(UserError, match="3 asked, at most 2"):
        voices.farthest(points(100, 200), 3)
