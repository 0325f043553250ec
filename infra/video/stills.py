"""What is seen before playing: the poster, the storyboard's sheets, the teaser.

Sample frames are JPEGs that our own encode wrote, so that libvips may read them in this
process; only the original is ever decoded in the sandbox.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg
import pyvips

from domain.errors import MediaRejected
from domain.media.audio import AudioPolicy, Loudness, levelling_for
from domain.media.video import (
    AudioTrack,
    Rung,
    SampleStats,
    SegmentGrid,
    SourceVideo,
    StoryboardPlan,
    VideoPolicy,
    grid_for,
    poster_order,
    sample_for_tile,
)
from infra.video.audio import levelled, sound_of
from infra.video.command import MediaTools, run_ffmpeg
from infra.video.encode import Sample
from infra.video.fragments import EncodeFailed, ffmpeg_failure
from infra.video.graph import (
    Watermark,
    as_jpeg_samples,
    converted,
    marked,
    marks_for,
    timed,
    video_input,
)
from infra.video.plan import x264_options

_POSTER_WALL_SECONDS = 300
_TEASER_WALL_SECONDS = 900
_SHEET_QUALITY = 75
_MP4_OPTIONS: dict[str, Any] = {
    "f": "mp4",
    "fps_mode": "passthrough",
    "movflags": "+faststart",
    "map_metadata": -1,
    "map_chapters": -1,
    "fflags": "+bitexact",
}
_AUDIO_OPTIONS = {"c:a": "aac", "b:a": 128_000, "ar": 48_000, "ac": 2}


def sample_stats(samples: Sequence[Sample]) -> tuple[SampleStats, ...]:
    """Luma of each sample frame."""
    found = []
    for sample in samples:
        luma = pyvips.Image.new_from_file(str(sample.path), access="sequential")
        stats = luma.colourspace("b-w").stats()
        # Row 0 is over all bands; columns 4 and 5 are mean and standard deviation.
        found.append(SampleStats(sample.timestamp_ms, stats(4, 0)[0], stats(5, 0)[0]))
    return tuple(found)


def choose_poster(samples: Sequence[Sample], *, duration_ms: int) -> Sample:
    """The most telling sample near the middle; a blank one only where all are blank."""
    best = poster_order(sample_stats(samples), duration_ms=duration_ms)[0]
    return next(each for each in samples if each.timestamp_ms == best.timestamp_ms)


def poster_frame(
    *,
    source: Path,
    facts: SourceVideo,
    sample: Sample,
    size: tuple[int, int],
    tools: MediaTools,
    work_dir: Path,
    watermark: Watermark | None = None,
    policy: VideoPolicy | None = None,
    cancel: threading.Event | None = None,
) -> Path:
    """A JPEG of the frame on screen at a sample's time, in full size, converted to BT.709.

    It is looked for by seeking, then by decoding from the start, since some files have a
    wrong index. Where neither finds it, the sample itself serves.
    """
    grid = grid_for(facts, policy or VideoPolicy())
    target = work_dir.resolve() / "poster.jpg"
    at = Fraction(sample.timestamp_ms, 1000)
    for seek in (at, Fraction(0)):
        target.unlink(missing_ok=True)
        stream = video_input(source, facts, tools, at_seconds=seek)
        picture = timed(stream, facts, grid, frames=1, at_seconds=at)
        picture = converted(picture, facts.colour, width=size[0], height=size[1])
        picture = _with_mark(picture, watermark, size, tools)
        options: dict[str, Any] = {"c:v": "mjpeg", "q:v": 2, "frames:v": 1}
        try:
            run_ffmpeg(
                [
                    as_jpeg_samples(picture, width=size[0], height=size[1]).output(
                        str(target), f="image2", update=1, **options
                    )
                ],
                tools=tools,
                limits=tools.limits(wall_seconds=_POSTER_WALL_SECONDS, file_bytes=64 << 20),
                cwd=work_dir,
                cancel=cancel,
            )
        except MediaRejected:
            # Decoding up to this frame alone may cost too much; the rest of the media is fine.
            continue
        if target.exists() and target.stat().st_size > 0:
            return target
    return sample.path


def storyboard_sheets(
    samples: Sequence[Sample], plan: StoryboardPlan, *, folder: Path
) -> tuple[Path, ...]:
    """The plan's sprite sheets as JPEGs, `sheet-0.jpg` and so on."""
    times = [sample.timestamp_ms for sample in samples]
    sheets: list[Path] = []
    for number in range(plan.sheet_count):
        width, height = plan.sheet_size(number)
        sheet = pyvips.Image.black(width, height, bands=3).copy(interpretation="srgb")
        for tile in plan.tiles:
            if tile.sheet != number:
                continue
            picture = pyvips.Image.thumbnail(
                str(samples[sample_for_tile(tile, times)].path),
                plan.tile_width,
                height=plan.tile_height,
                size="force",
            )
            sheet = sheet.insert(picture, tile.x, tile.y)
        path = folder / f"sheet-{number}.jpg"
        sheet.jpegsave(str(path), Q=_SHEET_QUALITY, keep="none", optimize_coding=True)
        sheets.append(path)
    return tuple(sheets)


def make_teaser(
    *,
    source: Path,
    facts: SourceVideo,
    grid: SegmentGrid,
    rung: Rung,
    start_ms: int,
    duration_ms: int,
    watermark: Watermark | None,
    measured: Loudness | None,
    audio_policy: AudioPolicy,
    tools: MediaTools,
    work_dir: Path,
    preset: str = "veryfast",
    cancel: threading.Event | None = None,
) -> Path:
    """A part of the video as one clear MP4 that starts playing before it is whole.

    Args:
        rung: its size and bitrate, usually 480p.
        start_ms, duration_ms: what to show; moved to lie within the video.
        measured: loudness of the whole track, so that the teaser sounds like the video.

    Raises:
        MediaRejected: the part can't be decoded, or costs more than allowed.
        EncodeFailed: ffmpeg failed and the file isn't known to be the cause.
    """
    total_ms = int(grid.duration_seconds * 1000)
    length_ms = max(1, min(duration_ms, total_ms))
    at = Fraction(max(0, min(start_ms, total_ms - length_ms)), 1000)
    frames = max(1, round(Fraction(length_ms, 1000) * grid.frame_rate))
    stream = video_input(source, facts, tools, at_seconds=at)
    picture = timed(stream, facts, grid, frames=frames, at_seconds=at)
    picture = converted(picture, facts.colour, width=rung.width, height=rung.height)
    picture = _with_mark(picture, watermark, (rung.width, rung.height), tools)
    streams: list[Any] = [picture]
    options: dict[str, Any] = x264_options(rung, grid, preset=preset, threads=tools.threads)
    if facts.audio is not None and at * 1000 < facts.audio.duration_ms:
        sound = sound_of(
            source, facts.audio, tools, at_seconds=at, seconds=Fraction(length_ms, 1000)
        )
        streams.append(_as_loud_as_the_video(sound, facts.audio, measured, audio_policy))
        options |= _AUDIO_OPTIONS
    target = work_dir.resolve() / "teaser.mp4"
    result = run_ffmpeg(
        [ffmpeg.output(*streams, str(target), **_MP4_OPTIONS, **options)],
        tools=tools,
        limits=tools.limits(
            wall_seconds=_TEASER_WALL_SECONDS,
            file_bytes=int(rung.maxrate * length_ms / 4000) + (64 << 20),
            reports_progress=True,
        ),
        cwd=work_dir,
        cancel=cancel,
    )
    if result.returncode != 0:
        raise ffmpeg_failure(result.stderr_tail)
    if not target.exists() or target.stat().st_size == 0:
        raise EncodeFailed("the teaser came out empty")
    return target


def _as_loud_as_the_video(
    sound: Any, track: AudioTrack, measured: Loudness | None, policy: AudioPolicy
) -> Any:
    levelling = levelling_for(measured, duration_seconds=track.duration_ms / 1000, policy=policy)
    return levelled(sound, measured, levelling, policy)


def _with_mark(
    picture: Any, watermark: Watermark | None, size: tuple[int, int], tools: MediaTools
) -> Any:
    if watermark is None:
        return picture
    return marked(picture, marks_for(watermark, [size], tools)[0], watermark.corner)
