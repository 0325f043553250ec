"""Video and sound by ffmpeg: probe, encode in segments, stills, loudness, checks.

command    how ffmpeg is called: guards, limits, sandbox
probe      what a file is (packets, picture: reading ffprobe's answers)
plan       the graph of a range (graph: its filters); encode runs it; fragments cuts it
audio      loudness, sound renditions, waveform
stills     poster, storyboard, teaser
verify     decodes what was made; encryption seals segments
"""

from __future__ import annotations

from infra.video.audio import (
    AudioRendition,
    EncodedSound,
    audio_policy,
    encode_audio,
    measure_loudness,
)
from infra.video.command import MediaTools, media_tools, video_policy
from infra.video.encode import EncodedRange, FinishedSegment, Sample, encode_segments
from infra.video.encryption import encrypt_segment
from infra.video.fragments import CutSegment, EncodeFailed
from infra.video.graph import Watermark
from infra.video.plan import EncodePlan
from infra.video.probe import probe
from infra.video.stills import (
    choose_poster,
    make_teaser,
    poster_frame,
    sample_stats,
    storyboard_sheets,
)
from infra.video.verify import OutputUnsound

__all__ = [
    "AudioRendition",
    "CutSegment",
    "EncodeFailed",
    "EncodePlan",
    "EncodedRange",
    "EncodedSound",
    "FinishedSegment",
    "MediaTools",
    "OutputUnsound",
    "Sample",
    "Watermark",
    "audio_policy",
    "choose_poster",
    "encode_audio",
    "encode_segments",
    "encrypt_segment",
    "make_teaser",
    "measure_loudness",
    "media_tools",
    "poster_frame",
    "probe",
    "sample_stats",
    "storyboard_sheets",
    "video_policy",
]
