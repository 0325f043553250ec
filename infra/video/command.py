"""How ffmpeg and ffprobe are called: local files of known formats, confined, bounded.

ffmpeg-python writes every ffmpeg command line; this module puts the guards on inputs and runs
the result in the sandbox. Neither program is ever given a URL.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import ffmpeg

from domain.errors import MediaRejected
from domain.media.rejections import RejectionCode
from domain.media.video import VideoPolicy
from infra.sandbox import (
    ChildFailed,
    ChildKilled,
    ChildOutOfMemory,
    ChildStalled,
    ChildTimedOut,
    ChildWroteTooMuch,
    CommandResult,
    Limits,
    run_command,
)
from infra.settings import Settings

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,ogg,wav,mp3,flac,aac"
"""Demuxers that may open an original. None of them follows a reference to another file."""
OWN_STILLS = "png_pipe"
"""Demuxer for a watermark, which we drew ourselves."""

_GIB = 1 << 30


@dataclass(frozen=True)
class MediaTools:
    """Where the programs are and what they may use."""

    ffmpeg_path: str = "ffmpeg"
    ffprobe_path: str = "ffprobe"
    memory_bytes_max: int = 4 * _GIB
    stall_seconds_max: int = 60
    pixels_max: int = 8192 * 8192
    threads: int = 0
    """Of decoders and encoders; 0 leaves it to them."""

    def limits(
        self, *, wall_seconds: float, file_bytes: int = 0, reports_progress: bool = False
    ) -> Limits:
        return Limits(
            cpu_seconds=int(wall_seconds * (os.cpu_count() or 1)),
            wall_seconds=wall_seconds,
            memory_bytes=self.memory_bytes_max,
            file_bytes=file_bytes,
            stall_seconds=self.stall_seconds_max if reports_progress else None,
        )


def media_tools(settings: Settings) -> MediaTools:
    return MediaTools(
        ffmpeg_path=settings.ffmpeg_path,
        ffprobe_path=settings.ffprobe_path,
        memory_bytes_max=settings.decoder_memory_bytes_max,
        stall_seconds_max=settings.decoder_stall_seconds_max,
        pixels_max=settings.video_pixels_max,
        threads=settings.video_threads,
    )


def video_policy(settings: Settings) -> VideoPolicy:
    return VideoPolicy(
        duration_seconds_max=settings.video_duration_seconds_max,
        audio_duration_seconds_max=settings.audio_duration_seconds_max,
        pixels_max=settings.video_pixels_max,
        streams_max=settings.video_streams_max,
        short_side_max=settings.video_ladder_short_side_max,
        frame_rate_max=settings.video_frame_rate_max,
        segment_seconds=settings.video_segment_seconds,
        gop_seconds=settings.video_gop_seconds,
        chunk_seconds=settings.video_chunk_seconds,
        chunk_threshold_seconds=settings.video_chunk_threshold_seconds,
        preset=settings.video_preset,
        threads=settings.video_threads,
        storyboard_tiles_short=settings.storyboard_tiles_short,
        storyboard_tiles_long=settings.storyboard_tiles_long,
        storyboard_long_seconds=settings.storyboard_long_seconds,
        storyboard_tile_width=settings.storyboard_tile_width,
        sample_frames_max=settings.moderation_frames_max,
    )


def guarded_input(path: Path, tools: MediaTools, *, formats: str = FORMATS, **options: Any) -> Any:
    """An ffmpeg-python input node for a local file of a known format."""
    guards: dict[str, Any] = {"protocol_whitelist": "file", "format_whitelist": formats}
    guards["max_pixels"] = tools.pixels_max
    guards["max_streams"] = 1000
    if tools.threads:
        guards["threads"] = tools.threads
    return ffmpeg.input(f"file:{path.resolve()}", **guards, **options)


def ffprobe_command(path: Path, tools: MediaTools, *options: str) -> list[str]:
    guards = ["-v", "error", "-protocol_whitelist", "file", "-format_whitelist", FORMATS]
    guards += ["-max_streams", "1000", "-max_pixels", str(tools.pixels_max)]
    return [tools.ffprobe_path, *guards, *options, f"file:{path.resolve()}"]


def run_ffmpeg(
    outputs: Sequence[Any],
    *,
    tools: MediaTools,
    limits: Limits,
    cwd: Path,
    on_line: Callable[[str], object] | None = None,
    tick: Callable[[], object] | None = None,
    cancel: threading.Event | None = None,
    log_level: str = "error",
) -> CommandResult:
    """Run one ffmpeg with all `outputs` (ffmpeg-python output nodes).

    Progress goes to stdout as `key=value` lines. The exit code is the caller's to judge.

    Raises:
        MediaRejected: the file made the child hit a limit or crash.
        ChildCancelled, ChildLost, ChildKilled: nothing speaks against the file.
    """
    # Times stay those of the file (`copyts`): left to itself, ffmpeg moves the start of an
    # MPEG-TS to that of the streams in use, so that sound and pictures would drift apart.
    program = [tools.ffmpeg_path, "-nostdin", "-hide_banner", "-y", "-copyts"]
    # Frames that can't be decoded are no failure: what a player would show is wanted.
    program += ["-max_error_rate", "1", "-loglevel", log_level]
    if on_line is not None or limits.stall_seconds is not None:
        program += ["-progress", "pipe:1", "-stats_period", "0.5", "-nostats"]
    node = ffmpeg.merge_outputs(*outputs) if len(outputs) > 1 else outputs[0]
    try:
        return run_command(
            node.compile(cmd=program),
            limits=limits,
            cwd=cwd,
            on_line=on_line,
            tick=tick,
            cancel=cancel,
        )
    except ChildFailed as failure:
        judge_child(failure)


def judge_child(failure: ChildFailed) -> NoReturn:
    """Say what a child's failure means for the file.

    Raises:
        MediaRejected: `too_expensive` for a spent budget, `corrupt_media` for a crash.
        ChildFailed: the failure as it is, where trying again may help.
    """
    if isinstance(failure, ChildOutOfMemory | ChildTimedOut | ChildStalled | ChildWroteTooMuch):
        raise MediaRejected(RejectionCode.TOO_EXPENSIVE, limit=failure.code) from failure
    if isinstance(failure, ChildKilled) and not failure.is_outside:
        raise MediaRejected(
            RejectionCode.CORRUPT_MEDIA,
            "Decoding this file crashed the decoder. Export it again and upload that copy.",
            signal=failure.signal,
        ) from failure
    raise failure
