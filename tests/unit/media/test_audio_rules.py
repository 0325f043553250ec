"""How loud a track is made, and what is made of it."""

from __future__ import annotations

import math

import pytest

from domain.media.audio import (
    AudioPolicy,
    Loudness,
    Treatment,
    Waveform,
    audio_renditions_for,
    levelling_for,
)

POLICY = AudioPolicy()


@pytest.mark.parametrize(
    ("lufs", "peak", "seconds", "treatment", "gain"),
    [
        (-24.0, -9.0, 60, Treatment.LOUDNORM, 8.0),
        (-8.0, 0.5, 60, Treatment.LOUDNORM, -8.0),
        (-24.0, -12.0, 1, Treatment.GAIN, 8.0),
        (-24.0, -4.5, 1, Treatment.GAIN, 3.0),
        (-24.0, -math.inf, 1, Treatment.GAIN, 8.0),
        (-61.0, -50.0, 60, Treatment.NOTHING, 0.0),
        (-math.inf, -math.inf, 60, Treatment.NOTHING, 0.0),
        (math.nan, -3.0, 60, Treatment.NOTHING, 0.0),
    ],
)
def test_levelling(
    lufs: float, peak: float, seconds: float, treatment: Treatment, gain: float
) -> None:
    measured = Loudness(lufs, peak, 5.0, lufs - 10)
    levelling = levelling_for(measured, duration_seconds=seconds, policy=POLICY)
    assert levelling.treatment is treatment
    assert levelling.gain_db == pytest.approx(gain)


def test_what_can_not_be_measured_is_left_alone() -> None:
    levelling = levelling_for(None, duration_seconds=9, policy=POLICY)
    assert levelling.treatment is Treatment.NOTHING


def test_recordings_get_opus_too() -> None:
    names = [each.name for each in audio_renditions_for(is_recording=True, policy=POLICY)]
    assert names == ["aac", "opus"]
    (aac,) = audio_renditions_for(is_recording=False, policy=POLICY)
    assert aac.bitrate == 128_000


def test_a_waveform_is_written_as_players_read_it() -> None:
    written = Waveform(8000, 32, (-3, 4, -5, 6)).as_json()
    assert (written["length"], written["data"]) == (2, [-3, 4, -5, 6])
    assert written["samples_per_pixel"] == 32
