"""What a file is, told by its packets and by decoding the first of them."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from domain.errors import MediaRejected
from domain.media.rejections import RejectionCode
from domain.media.video import AudioTrack, SourceAudio, SourceVideo, VideoPolicy
from infra.sandbox import ChildFailed, ChildOutOfMemory, CommandResult, run_command
from infra.video.command import MediaTools, ffprobe_command, judge_child
from infra.video.packets import PacketTally, cadence_of, read_tallies
from infra.video.picture import (
    bit_depth_of,
    colour_of,
    is_turned,
    promised_ms,
    rate_of,
    sample_aspect,
    upright_size,
)

PROBE_WALL_SECONDS = 300
_PEEK_PACKETS = 64
_LOOK_FURTHER_PACKETS = 600
_PACKET_LIST_BYTES_MAX = 1 << 30
_TAIL_MS_MAX = 500
"""Sound that outlasts the pictures by more than this prolongs the last picture."""


@dataclass(frozen=True)
class _Stream:
    """One stream of ffprobe's report, with what its packets said."""

    report: dict[str, Any]
    tally: PacketTally
    first_frame: dict[str, Any] | None
    frames_interlaced: bool

    @property
    def index(self) -> int:
        return int(self.report["index"])

    @property
    def codec(self) -> str | None:
        """ffmpeg's name of the codec; None where it knows none."""
        name = self.report.get("codec_name")
        return None if name in (None, "unknown", "none") else str(name)

    @property
    def time_base(self) -> Fraction:
        return Fraction(self.report["time_base"])

    @property
    def is_default(self) -> bool:
        return bool(self.report.get("disposition", {}).get("default"))

    def end_ms(self, start: Fraction, end: int | None = None) -> int:
        """Milliseconds from the file's `start` to the end of what is shown."""
        ticks = self.tally.end if end is None else end
        return 0 if ticks is None else round((ticks * self.time_base - start) * 1000)


def probe(
    path: Path,
    *,
    policy: VideoPolicy,
    tools: MediaTools,
    work_dir: Path,
    cancel: threading.Event | None = None,
) -> SourceVideo | SourceAudio:
    """Find out what can be shown of a file; three confined reads, one of them to its end.

    A file whose pictures can't be decoded is refused even if its sound can: publishing the
    sound of a video would surprise its creator. A file with pictures and undecodable sound is
    taken without the sound, as players do.

    Raises:
        MediaRejected: `unsupported_type`, `corrupt_media`, `no_media_streams`,
            `unsupported_codec`, `too_many_streams`, `decompression_bomb`, `too_long`,
            `too_expensive`.
        ChildFailed: the probe itself failed; trying again may help.
        OSError: the file isn't there; it is no corrupt one.
    """
    size_bytes = path.stat().st_size
    run = _Runner(path, tools, work_dir, cancel)
    report = run.peek(f"%+#{_PEEK_PACKETS}")
    streams_all = report.get("streams", [])
    if len(streams_all) > policy.streams_max:
        raise MediaRejected(
            RejectionCode.TOO_MANY_STREAMS, streams=len(streams_all), limit=policy.streams_max
        )
    _refuse_giant_pictures(streams_all, policy)
    tallies = run.packets()
    frames = report.get("frames", [])
    streams = [_stream(each, tallies, frames) for each in streams_all]
    videos = [each for each in streams if _is_picture_track(each)]
    audios = [each for each in streams if each.report.get("codec_type") == "audio"]
    if not any(each.tally.count for each in (*videos, *audios)):
        raise _nothing_to_show([*videos, *audios])
    start = Fraction(report.get("format", {}).get("start_time") or 0)
    container = str(report["format"]["format_name"]).split(",")[0]
    audio, warnings = _choose_audio(audios, start, run)
    with_packets = [each for each in videos if each.tally.count]
    if with_packets:
        video = _choose_video(with_packets, run)
        return _video_facts(
            video,
            audio,
            warnings,
            start=start,
            size_bytes=size_bytes,
            policy=policy,
            container=container,
        )
    if audio is None:
        raise _undecodable(audios)
    if audio.duration_ms > policy.audio_duration_seconds_max * 1000:
        raise MediaRejected(RejectionCode.TOO_LONG, duration_ms=audio.duration_ms)
    return SourceAudio(
        container=container,
        duration_ms=audio.duration_ms,
        size_bytes=size_bytes,
        audio=audio,
        warnings=warnings,
    )


class _Runner:
    """ffprobe on one file."""

    def __init__(
        self, path: Path, tools: MediaTools, work_dir: Path, cancel: threading.Event | None
    ) -> None:
        self._path = path
        self._tools = tools
        self._work_dir = work_dir
        self._cancel = cancel

    def _run(self, *options: str) -> CommandResult:
        try:
            return run_command(
                ffprobe_command(self._path, self._tools, *options),
                limits=self._tools.limits(
                    wall_seconds=PROBE_WALL_SECONDS, file_bytes=_PACKET_LIST_BYTES_MAX
                ),
                cwd=self._work_dir,
                cancel=self._cancel,
                stdout_bytes_max=32 * 1024 * 1024,
            )
        except ChildOutOfMemory as failure:
            # ffmpeg answers "cannot allocate" when a header names more streams than allowed.
            if "reading header" in str(failure.facts.get("stderr", "")):
                raise MediaRejected(RejectionCode.TOO_MANY_STREAMS) from failure
            raise MediaRejected(RejectionCode.DECOMPRESSION_BOMB) from failure
        except ChildFailed as failure:
            judge_child(failure)

    def peek(self, interval: str, stream: int | None = None) -> dict[str, Any]:
        """Format, streams, and the frames that the first packets decode to."""
        only = () if stream is None else ("-select_streams", str(stream))
        result = self._run(
            *only,
            *("-show_format", "-show_streams", "-show_frames"),
            *("-read_intervals", interval, "-of", "json"),
        )
        if result.returncode != 0:
            raise _unreadable(result.stderr_tail)
        if "exceeds specified max pixel count" in result.stderr_tail:
            raise MediaRejected(RejectionCode.DECOMPRESSION_BOMB)
        try:
            report = json.loads(result.stdout)
        except ValueError as error:
            raise MediaRejected(RejectionCode.CORRUPT_MEDIA) from error
        if not isinstance(report, dict) or "format" not in report:
            raise MediaRejected(RejectionCode.CORRUPT_MEDIA)
        return report

    def packets(self) -> dict[int, PacketTally]:
        """Demultiplex the whole file. What can't be read any more simply isn't counted."""
        listing = self._work_dir / "packets.csv"
        self._run(
            *("-show_entries", "packet=stream_index,pts,dts,duration,size,flags"),
            *("-of", "csv=p=0", "-o", str(listing)),
        )
        if not listing.exists():
            return {}
        try:
            with listing.open(errors="replace") as lines:
                return read_tallies(lines)
        finally:
            listing.unlink()

    def first_frame(self, stream: int) -> tuple[dict[str, Any], bool] | None:
        """The first frame of a stream that has none among the first packets of the file."""
        report = self.peek(f"%+#{_LOOK_FURTHER_PACKETS}", stream)
        return _frames_of(report.get("frames", []), stream)


def _stream(
    report: dict[str, Any], tallies: dict[int, PacketTally], frames: list[dict[str, Any]]
) -> _Stream:
    found = _frames_of(frames, int(report["index"]))
    return _Stream(
        report=report,
        tally=tallies.get(int(report["index"]), PacketTally()),
        first_frame=None if found is None else found[0],
        frames_interlaced=found is not None and found[1],
    )


def _frames_of(frames: list[dict[str, Any]], stream: int) -> tuple[dict[str, Any], bool] | None:
    """The first decoded frame of a stream, and whether its frames are interlaced."""
    mine = [frame for frame in frames if frame.get("stream_index") == stream]
    if not mine:
        return None
    interlaced = sum(1 for frame in mine if frame.get("interlaced_frame"))
    return mine[0], interlaced * 2 > len(mine)


def _is_picture_track(stream: _Stream) -> bool:
    """Moving pictures; a cover or thumbnail is none."""
    disposition = stream.report.get("disposition", {})
    return stream.report.get("codec_type") == "video" and not (
        disposition.get("attached_pic") or disposition.get("timed_thumbnails")
    )


def _refuse_giant_pictures(streams: list[dict[str, Any]], policy: VideoPolicy) -> None:
    for stream in streams:
        width = int(stream.get("coded_width") or stream.get("width") or 0)
        height = int(stream.get("coded_height") or stream.get("height") or 0)
        if width * height > policy.pixels_max:
            raise MediaRejected(
                RejectionCode.DECOMPRESSION_BOMB,
                width=width,
                height=height,
                limit=policy.pixels_max,
            )


def _choose_audio(
    audios: list[_Stream], start: Fraction, run: _Runner
) -> tuple[AudioTrack | None, tuple[str, ...]]:
    """The default audio stream among those that decode; and a warning for each that doesn't."""
    warnings: list[str] = []
    for stream in sorted(audios, key=lambda each: (not each.is_default, each.index)):
        if not stream.tally.count:
            warnings.append(f"audio stream {stream.index} is empty")
            continue
        frame = stream.first_frame
        if frame is None and stream.codec is not None:
            found = run.first_frame(stream.index)
            frame = None if found is None else found[0]
        if frame is None:
            name = stream.codec or stream.report.get("codec_tag_string", "unknown")
            warnings.append(f"audio stream {stream.index} ({name}) can't be decoded")
            continue
        tags = stream.report.get("tags", {})
        language = tags.get("language")
        track = AudioTrack(
            stream_index=stream.index,
            codec=stream.codec or "unknown",
            channels=int(frame.get("channels") or stream.report.get("channels") or 2),
            sample_rate_hz=int(stream.report.get("sample_rate") or 48_000),
            duration_ms=max(1, stream.end_ms(start)),
            start_us=round(start * 1_000_000),
            language=None if language in (None, "und") else str(language)[:35],
            profile=stream.report.get("profile"),
        )
        return track, tuple(warnings)
    return None, tuple(warnings)


def _choose_video(videos: list[_Stream], run: _Runner) -> _Stream:
    """The default video stream among those that decode.

    Raises:
        MediaRejected: none does.
    """
    for stream in sorted(videos, key=lambda each: (not each.is_default, each.index)):
        if stream.first_frame is not None:
            return stream
        if stream.codec is None:
            continue
        found = run.first_frame(stream.index)
        if found is not None:
            return _Stream(stream.report, stream.tally, found[0], found[1])
    raise _undecodable(videos)


def _video_facts(
    stream: _Stream,
    audio: AudioTrack | None,
    warnings: tuple[str, ...],
    *,
    start: Fraction,
    container: str,
    size_bytes: int,
    policy: VideoPolicy,
) -> SourceVideo:
    report, frame = stream.report, stream.first_frame or {}
    promised = rate_of(report.get("r_frame_rate")) or rate_of(report.get("avg_frame_rate"))
    cadence = cadence_of(stream.tally, time_base=stream.time_base, promised=promised)
    duration_ms = max(1, stream.end_ms(start, cadence.end))
    if promised_ms(report) > duration_ms * 1.02 + 1000:
        warnings = (*warnings, f"its header promises {promised_ms(report)} ms of pictures")
    if audio is not None and audio.duration_ms - duration_ms > _TAIL_MS_MAX:
        warnings = (*warnings, "the sound is longer than the pictures")
        duration_ms = audio.duration_ms
    if duration_ms > policy.duration_seconds_max * 1000:
        raise MediaRejected(
            RejectionCode.TOO_LONG,
            duration_ms=duration_ms,
            limit_seconds=policy.duration_seconds_max,
        )
    width, height = upright_size(report, frame)
    pixel_format = str(frame.get("pix_fmt") or report.get("pix_fmt"))
    return SourceVideo(
        container=container,
        duration_ms=duration_ms,
        size_bytes=size_bytes,
        stream_index=stream.index,
        codec=stream.codec or "unknown",
        width=width,
        height=height,
        frame_rate=cadence.frame_rate,
        frame_count=stream.tally.count,
        bitrate=round(stream.tally.bytes * 8000 / duration_ms),
        pixel_format=pixel_format,
        bit_depth=bit_depth_of(pixel_format),
        coded_width=int(frame["width"]),
        coded_height=int(frame["height"]),
        is_turned=is_turned(report),
        has_square_pixels=sample_aspect(report, frame) == 1,
        variable_frame_rate=not cadence.is_constant,
        interlaced=stream.frames_interlaced,
        start_us=round(start * 1_000_000),
        starts_at_zero=abs((stream.tally.start or 0) * stream.time_base - start)
        < Fraction(1, 1000),
        colour=colour_of(report, frame),
        keyframe_period_frames=cadence.keyframe_period_frames,
        audio=audio,
        warnings=warnings,
    )


def _unreadable(stderr_tail: str) -> MediaRejected:
    if "not on whitelist" in stderr_tail:
        return MediaRejected(RejectionCode.UNSUPPORTED_TYPE)
    return MediaRejected(RejectionCode.CORRUPT_MEDIA)


def _nothing_to_show(streams: list[_Stream]) -> MediaRejected:
    """No stream has a packet: there was never any, or they are cut off."""
    if any(promised_ms(each.report) for each in streams):
        return MediaRejected(RejectionCode.CORRUPT_MEDIA)
    return MediaRejected(RejectionCode.NO_MEDIA_STREAMS)


def _undecodable(streams: list[_Stream]) -> MediaRejected:
    """Refused codec where ffmpeg has no decoder; else the data is broken."""
    unknown = [each for each in streams if each.codec is None]
    if unknown:
        tag = str(unknown[0].report.get("codec_tag_string", "unknown"))
        return MediaRejected(RejectionCode.UNSUPPORTED_CODEC, codec=tag)
    return MediaRejected(RejectionCode.CORRUPT_MEDIA)
