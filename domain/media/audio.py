"""Rules of sound: which renditions a track gets, and how loud they are made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

SAMPLE_RATE_HZ = 48_000
CHANNELS = 2

_SILENCE_LUFS = -60.0
"""What reads lower is the noise of a room or of a converter; raised, it would only hiss."""
_DYNAMIC_SECONDS_MIN = 3.0
"""The normaliser looks 3 s ahead; on less it has nothing to work with."""


@dataclass(frozen=True)
class AudioPolicy:
    """Bit rates per second, loudness in LUFS and dBTP, segments in seconds."""

    aac_bitrate: int = 128_000
    opus_bitrate: int = 96_000
    target_lufs: float = -16.0
    true_peak_dbtp: float = -1.5
    segment_seconds: int = 4
    waveform_peaks: int = 1000


@dataclass(frozen=True)
class AudioRenditionPlan:
    """One rendition: 48 kHz stereo. `name` is also its encoder's key."""

    name: str
    bitrate: int


def audio_renditions_for(
    *, is_recording: bool, policy: AudioPolicy
) -> tuple[AudioRenditionPlan, ...]:
    """AAC for everything; a recording without pictures gets Opus too."""
    aac = AudioRenditionPlan("aac", policy.aac_bitrate)
    opus = AudioRenditionPlan("opus", policy.opus_bitrate)
    return (aac, opus) if is_recording else (aac,)


@dataclass(frozen=True)
class Loudness:
    """As measured over the whole track by EBU R 128."""

    integrated_lufs: float
    true_peak_dbtp: float
    range_lu: float
    threshold_lufs: float


class Treatment(StrEnum):
    """What is done to the sound."""

    NOTHING = "nothing"
    GAIN = "gain"
    """One factor for the whole track, peaks kept below the limit."""
    LOUDNORM = "loudnorm"
    """The second pass of ffmpeg's loudnorm: linear where the peaks allow it."""


@dataclass(frozen=True)
class Levelling:
    """How a track is brought to its loudness. `gain_db` is that of the whole track."""

    treatment: Treatment
    gain_db: float = 0.0


def levelling_for(
    measured: Loudness | None, *, duration_seconds: float, policy: AudioPolicy
) -> Levelling:
    """How to reach the target.

    Silence is left alone, and so is what is too short to be measured. A clip too short for
    the normaliser's window gets plain gain, as much as its peaks allow.
    """
    if measured is None or not measured.integrated_lufs >= _SILENCE_LUFS:
        return Levelling(Treatment.NOTHING)
    wanted = policy.target_lufs - measured.integrated_lufs
    if duration_seconds < _DYNAMIC_SECONDS_MIN:
        room = policy.true_peak_dbtp - measured.true_peak_dbtp
        return Levelling(Treatment.GAIN, min(wanted, room) if math.isfinite(room) else wanted)
    return Levelling(Treatment.LOUDNORM, wanted)


@dataclass(frozen=True)
class Waveform:
    """Peaks for players, one pair for each of equal stretches of time.

    `data` holds min, max, min, max … of a mono mix at its published loudness, −128 to 127.
    Written as the version 2 JSON of BBC audiowaveform, which peaks.js and wavesurfer.js read.
    """

    sample_rate_hz: int
    samples_per_peak: int
    data: tuple[int, ...]

    def as_json(self) -> dict[str, object]:
        return {
            "version": 2,
            "channels": 1,
            "sample_rate": self.sample_rate_hz,
            "samples_per_pixel": self.samples_per_peak,
            "bits": 8,
            "length": len(self.data) // 2,
            "data": list(self.data),
        }
