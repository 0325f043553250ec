"""Encodes the sound: measured once, levelled, cut into CMAF segments, drawn as a waveform."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from domain.errors import MediaRejected
from domain.media.audio import (
    CHANNELS,
    SAMPLE_RATE_HZ,
    AudioPolicy,
    AudioRenditionPlan,
    Levelling,
    Loudness,
    Treatment,
    Waveform,
    levelling_for,
)
from domain.media.isobmff import codecs_of_init, timescale_of_init
from domain.media.rejections import RejectionCode
from domain.media.video import AudioTrack
from infra.settings import Settings
from infra.video.command import MediaTools, guarded_input, run_ffmpeg
from infra.video.fragments import (
    CutSegment,
    EncodeFailed,
    FragmentTail,
    SegmentCutter,
    ffmpeg_failure,
)
from infra.video.graph import split_audio

_WALL_SECONDS_BASE = 600
_FRAGMENT_SECONDS = 1
_SEEK_EARLIER_SECONDS = 1
"""Codecs need the packets before a place to decode it."""
_WAVEFORM_RATE_HZ = 8_000
_LRA_MIN, _LRA_MAX = 0.1, 50.0
_ENCODERS: dict[str, dict[str, Any]] = {"aac": {"c:a": "aac"}, "opus": {"c:a": "libopus"}}


@dataclass(frozen=True)
class AudioRendition:
    """One encoded rendition: a clear init segment and clear segments, on disk."""

    name: str
    codecs: str
    timescale: int
    channels: int
    init: Path
    segments: tuple[CutSegment, ...]

    @property
    def duration_ms(self) -> int:
        return round(sum(cut.duration_ticks for cut in self.segments) * 1000 / self.timescale)


@dataclass(frozen=True)
class EncodedSound:
    renditions: tuple[AudioRendition, ...]
    measured: Loudness | None
    """Of the source; None where it is silent or too short to measure."""
    levelling: Levelling
    waveform: Waveform | None


OnAudioSegment = Callable[[str, CutSegment], None]
"""Called with the rendition's name and each segment, in order, while encoding goes on."""


def audio_policy(settings: Settings) -> AudioPolicy:
    return AudioPolicy(
        aac_bitrate=settings.audio_bitrate,
        opus_bitrate=settings.opus_bitrate,
        target_lufs=settings.loudness_target_lufs,
        true_peak_dbtp=settings.loudness_true_peak_dbtp,
        segment_seconds=settings.video_segment_seconds,
        waveform_peaks=settings.waveform_peaks,
    )


def encode_audio(
    *,
    source: Path,
    track: AudioTrack,
    renditions: Sequence[AudioRenditionPlan],
    policy: AudioPolicy,
    tools: MediaTools,
    work_dir: Path,
    wants_waveform: bool = False,
    on_segment: OnAudioSegment | None = None,
    on_progress: Callable[[float], None] | None = None,
    cancel: threading.Event | None = None,
) -> EncodedSound:
    """Encode one track as every rendition, in two passes over the source.

    The time line is that of the whole file, so that sound which starts after the pictures
    begins with silence. `on_progress` hears the share done, 0 to 1, over both passes.

    Raises:
        MediaRejected: the track can't be decoded, or costs more than allowed.
        EncodeFailed: ffmpeg failed and the file isn't known to be the cause.
        ChildFailed: cancelled, or ended from outside.
    """
    share = _Share(on_progress, track.duration_ms)
    measured = measure_loudness(
        source, track, tools=tools, work_dir=work_dir, on_line=share.first, cancel=cancel
    )
    levelling = levelling_for(measured, duration_seconds=track.duration_ms / 1000, policy=policy)
    folder = work_dir.resolve() / "audio"
    folder.mkdir(parents=True, exist_ok=True)
    cutters = [_cutter(plan, track, folder, policy) for plan in renditions]
    found: dict[str, list[CutSegment]] = {plan.name: [] for plan in renditions}

    def deliver(*, at_end: bool = False) -> None:
        for cutter in cutters:
            for cut in cutter.take(at_end=at_end):
                found[cutter.name].append(cut)
                if on_segment is not None:
                    on_segment(cutter.name, cut)

    sound = levelled(sound_of(source, track, tools), measured, levelling, policy)
    raw = folder / "waveform.s8"
    parts = split_audio(sound, len(renditions) + wants_waveform)
    outputs = [
        _rendition_output(part, plan, folder) for part, plan in zip(parts, renditions, strict=False)
    ]
    if wants_waveform:
        outputs.append(_waveform_output(parts[-1], raw))
    result = run_ffmpeg(
        outputs,
        tools=tools,
        limits=_limits(tools, track),
        cwd=folder,
        on_line=share.second,
        tick=deliver,
        cancel=cancel,
    )
    deliver(at_end=True)
    if result.returncode != 0:
        raise ffmpeg_failure(result.stderr_tail)
    if not all(found.values()):
        raise MediaRejected(RejectionCode.CORRUPT_MEDIA, stream=track.stream_index)
    share.finish()
    return EncodedSound(
        renditions=tuple(_rendition(cutter, found[cutter.name], folder) for cutter in cutters),
        measured=measured,
        levelling=levelling,
        waveform=_waveform(raw, policy.waveform_peaks) if wants_waveform else None,
    )


class _Share:
    """Turns ffmpeg's progress into a share of both passes.

    With `copyts` ffmpeg counts from its first report on, so that short tracks lag behind.
    """

    def __init__(self, on_progress: Callable[[float], None] | None, duration_ms: int) -> None:
        self._on_progress = on_progress
        self._duration_us = max(1, duration_ms) * 1000

    def _hear(self, line: str, done: float, weight: float) -> None:
        name, _, value = line.partition("=")
        if self._on_progress is not None and name == "out_time_us" and value.strip().isdigit():
            self._on_progress(done + weight * min(1.0, int(value) / self._duration_us))

    def first(self, line: str) -> None:
        self._hear(line, 0.0, 0.25)

    def finish(self) -> None:
        if self._on_progress is not None:
            self._on_progress(1.0)

    def second(self, line: str) -> None:
        self._hear(line, 0.25, 0.75)


def _limits(tools: MediaTools, track: AudioTrack) -> Any:
    seconds = track.duration_ms / 1000
    return tools.limits(
        wall_seconds=_WALL_SECONDS_BASE + 2 * seconds,
        file_bytes=int(seconds * 60_000) + (64 << 20),
        reports_progress=True,
    )


def sound_of(
    source: Path,
    track: AudioTrack,
    tools: MediaTools,
    *,
    at_seconds: Fraction = Fraction(0),
    seconds: Fraction | None = None,
) -> Any:
    """The track as 48 kHz stereo on the file's own time line, gaps filled with silence.

    Args:
        at_seconds, seconds: a part of it; None runs to its end.
    """
    options: dict[str, Any] = {}
    if at_seconds > 0:
        options["ss"] = f"{max(float(at_seconds) - _SEEK_EARLIER_SECONDS, 0):.6f}"
    start_us = track.start_us + round(at_seconds * 1_000_000)
    length = Fraction(track.duration_ms, 1000) - at_seconds if seconds is None else seconds
    return (
        guarded_input(source, tools, **options)[str(track.stream_index)]
        .filter("asetpts", f"PTS-({start_us}/1000000/TB)")
        .filter("aresample", SAMPLE_RATE_HZ, **{"async": 1, "first_pts": 0})
        .filter("aformat", sample_fmts="fltp", channel_layouts="stereo")
        .filter("atrim", end=f"{float(length):.6f}")
    )


def measure_loudness(
    source: Path,
    track: AudioTrack,
    *,
    tools: MediaTools,
    work_dir: Path,
    on_line: Callable[[str], object] | None = None,
    cancel: threading.Event | None = None,
) -> Loudness | None:
    """The first pass: integrated loudness, true peak, range and gate of the down-mix.

    The `ebur128` meter gives the figures of loudnorm's own first pass at a fifth of the time
    (measured), since it doesn't also normalise at 192 kHz what is thrown away.
    """
    meter = sound_of(source, track, tools).filter("ebur128", peak="true", framelog="verbose")
    result = run_ffmpeg(
        [meter.output("-", f="null")],
        tools=tools,
        limits=_limits(tools, track),
        cwd=work_dir,
        on_line=on_line,
        cancel=cancel,
        log_level="info",
    )
    if result.returncode != 0:
        raise ffmpeg_failure(result.stderr_tail)
    return loudness_of(result.stderr_tail)


def loudness_of(summary: str) -> Loudness | None:
    """The figures of ebur128's closing summary; None where the sound is silent or too short."""
    said = summary[summary.rfind("Summary:") :]
    found = {
        name: re.search(pattern, said, re.DOTALL)
        for name, pattern in {
            "integrated": r"I:\s+(-?[\d.]+) LUFS",
            "threshold": r"Integrated loudness:.*?Threshold:\s+(-?[\d.]+) LUFS",
            "range": r"LRA:\s+([\d.]+) LU",
            "peak": r"Peak:\s+(-?[\d.]+) dBFS",
        }.items()
    }
    figures = {name: float(match.group(1)) for name, match in found.items() if match is not None}
    if len(figures) < len(found) or figures["integrated"] <= -70.0:
        return None
    return Loudness(
        integrated_lufs=figures["integrated"],
        true_peak_dbtp=figures["peak"],
        range_lu=figures["range"],
        threshold_lufs=figures["threshold"],
    )


def levelled(
    sound: Any, measured: Loudness | None, levelling: Levelling, policy: AudioPolicy
) -> Any:
    """The sound at its target loudness."""
    if levelling.treatment is Treatment.NOTHING or measured is None:
        return sound
    if levelling.treatment is Treatment.GAIN:
        return sound.filter("volume", f"{levelling.gain_db:.2f}dB")
    # A range above the target's, or one of exactly 0, would make loudnorm leave its linear mode.
    lra = min(max(measured.range_lu, _LRA_MIN), _LRA_MAX)
    return sound.filter(
        "loudnorm",
        I=policy.target_lufs,
        TP=policy.true_peak_dbtp,
        LRA=max(lra, 11.0),
        measured_I=min(measured.integrated_lufs, -0.01),
        measured_TP=measured.true_peak_dbtp,
        measured_LRA=lra,
        measured_thresh=measured.threshold_lufs,
        linear="true",
    ).filter("aresample", SAMPLE_RATE_HZ)


def _rendition_output(sound: Any, plan: AudioRenditionPlan, folder: Path) -> Any:
    return sound.output(
        str(folder / f"{plan.name}.mp4"),
        f="mp4",
        ar=SAMPLE_RATE_HZ,
        ac=CHANNELS,
        movflags="empty_moov+default_base_moof+delay_moov+skip_trailer",
        frag_duration=_FRAGMENT_SECONDS * 1_000_000,
        map_metadata=-1,
        map_chapters=-1,
        fflags="+bitexact",
        flush_packets=1,
        **_ENCODERS[plan.name],
        **{"b:a": plan.bitrate},
    )


def _waveform_output(sound: Any, raw: Path) -> Any:
    return sound.output(str(raw), f="s8", ar=_WAVEFORM_RATE_HZ, ac=1, **{"c:a": "pcm_s8"})


def _cutter(
    plan: AudioRenditionPlan, track: AudioTrack, folder: Path, policy: AudioPolicy
) -> SegmentCutter:
    """Cuts at the fragment that ends next to each multiple of the segment's length, so that
    sound and pictures don't drift apart over hours. A short rest stays with the last one."""
    slack = _FRAGMENT_SECONDS * SAMPLE_RATE_HZ // 2
    total = track.duration_ms * SAMPLE_RATE_HZ // 1000

    def is_whole(segment: int, _samples: int, end: int) -> bool:
        wanted = (segment + 1) * policy.segment_seconds * SAMPLE_RATE_HZ
        return end >= wanted - slack and total - end > slack

    return SegmentCutter(
        tail=FragmentTail(folder / f"{plan.name}.mp4"),
        is_whole=is_whole,
        name=plan.name,
        folder=folder,
    )


def _rendition(cutter: SegmentCutter, cuts: list[CutSegment], folder: Path) -> AudioRendition:
    if cutter.tail.init is None:
        raise EncodeFailed("an audio rendition has no init segment", rendition=cutter.name)
    init = folder / f"{cutter.name}-init.mp4"
    init.write_bytes(cutter.tail.init)
    return AudioRendition(
        name=cutter.name,
        codecs=codecs_of_init(cutter.tail.init),
        timescale=timescale_of_init(cutter.tail.init),
        channels=CHANNELS,
        init=init,
        segments=tuple(cuts),
    )


def _waveform(raw: Path, peaks_max: int) -> Waveform:
    """Reduce raw samples to peaks; the file is mapped, so that hours need no memory."""
    size = raw.stat().st_size
    samples_per_peak = max(1, -(-size // peaks_max))
    samples = np.memmap(raw, dtype=np.int8, mode="r") if size else np.zeros(1, np.int8)
    starts = np.arange(0, len(samples), samples_per_peak)
    pairs = np.stack(
        [np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)], axis=1
    )
    return Waveform(
        sample_rate_hz=_WAVEFORM_RATE_HZ,
        samples_per_peak=samples_per_peak,
        data=tuple(int(value) for value in pairs.ravel()),
    )
