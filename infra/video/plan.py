"""What one ffmpeg is asked to make of a range of segments."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg

from domain.media.video import SAMPLE_WIDTH, Colour, Rung, SegmentGrid, SourceVideo
from infra.video.command import MediaTools
from infra.video.graph import (
    Watermark,
    as_jpeg_samples,
    converted,
    marked,
    marks_for,
    shrunk,
    split,
    timed,
    video_input,
)

_MOVFLAGS = "frag_keyframe+delay_moov+default_base_moof+skip_trailer"
_THREADS_MAX = 8
"""Beyond it, threads cost memory and bits, and more chunks in parallel serve better."""


@dataclass(frozen=True)
class EncodePlan:
    """What to encode: rungs from low to high, over segments `start` to `end` (exclusive).

    `end_segment` None runs to the end of the grid. `sample_every_frames` None takes no
    samples. Frames are counted on the whole video's grid.
    """

    source: SourceVideo
    grid: SegmentGrid
    rungs: tuple[Rung, ...]
    start_segment: int = 0
    end_segment: int | None = None
    sample_every_frames: int | None = None
    watermark: Watermark | None = None
    preset: str = "veryfast"
    copies_top: bool = False
    """The top rung is made of the source's own packets, as `may_copy` allows."""

    @property
    def end(self) -> int:
        return self.grid.segment_count if self.end_segment is None else self.end_segment

    @property
    def first_frame(self) -> int:
        return self.grid.start_frame(self.start_segment)

    @property
    def frames(self) -> int:
        return self.grid.start_frame(self.end) - self.first_frame

    @property
    def encoded_rungs(self) -> tuple[Rung, ...]:
        return self.rungs[:-1] if self.copies_top else self.rungs


@dataclass(frozen=True)
class RangeOutputs:
    """The graph of a plan, and where its files lie in `folder`."""

    plan: EncodePlan
    source: Path
    folder: Path
    tools: MediaTools

    @property
    def samples(self) -> Path:
        return self.folder / "samples"

    def rung_path(self, rung: Rung) -> Path:
        """The fragmented MP4 that ffmpeg writes for a rung."""
        return self.folder / f"{rung.name}.mp4"

    def sample_path(self, frame: int) -> Path:
        """The JPEG of a frame, counted on the whole video's grid."""
        return self.samples / f"{frame - self.plan.first_frame:09d}.jpg"

    def nodes(self, *, is_black: bool) -> list[Any]:
        """ffmpeg-python output nodes: rungs first, since progress counts the first one's frames."""
        plan, grid = self.plan, self.plan.grid
        if is_black:
            # One frame is enough: it is repeated like any frame that nothing follows.
            size = f"{plan.rungs[-1].width}x{plan.rungs[-1].height}"
            stream = ffmpeg.input(f"color=black:s={size}:d=0.01", f="lavfi")["v"]
            black = replace(plan.source, start_us=0, interlaced=False, colour=Colour())
            return self._picture_outputs(
                timed(stream, black, grid, frames=plan.frames, at_seconds=Fraction(0)), Colour()
            )
        at = grid.start_seconds(plan.start_segment)
        # A copy starts at the key frame that it is asked for, which rounding must not miss.
        seek = at + 1 / grid.frame_rate / 2 if at and plan.copies_top else at
        stream = video_input(self.source, plan.source, self.tools, at_seconds=seek)
        outputs = [self._copy_output(stream, plan.rungs[-1])] if plan.copies_top else []
        if not plan.encoded_rungs and plan.sample_every_frames is None:
            return outputs
        picture = timed(stream, plan.source, grid, frames=plan.frames, at_seconds=at)
        return self._picture_outputs(picture, plan.source.colour) + outputs

    def _picture_outputs(self, picture: Any, colour: Colour) -> list[Any]:
        plan = self.plan
        top = plan.encoded_rungs[-1] if plan.encoded_rungs else plan.rungs[-1]
        picture = converted(picture, colour, width=top.width, height=top.height)
        sampled: list[Any] = []
        if plan.sample_every_frames is not None:
            if plan.encoded_rungs:
                picture, aside = split(picture, 2)
            else:
                aside = picture
            sampled.append(self._sample_output(aside, plan.sample_every_frames, top))
        outputs: list[Any] = []
        sizes = [(rung.width, rung.height) for rung in plan.encoded_rungs]
        marks = marks_for(plan.watermark, sizes, self.tools)
        for index, rung in reversed(list(enumerate(plan.encoded_rungs))):
            if rung is not top:
                picture = shrunk(picture, width=rung.width, height=rung.height)
            picture, mine = split(picture, 2) if index else (None, picture)
            if plan.watermark is not None:
                mine = marked(mine, marks[index], plan.watermark.corner)
            outputs.append(self._rung_output(mine, rung))
        return outputs + sampled

    def _sample_output(self, stream: Any, every: int, top: Rung) -> Any:
        width = min(SAMPLE_WIDTH, top.width)
        height = max(2, round(top.height * width / top.width / 2) * 2)
        offset = self.plan.first_frame % every
        picked = stream.filter("select", f"not(mod(n+{offset},{every}))")
        return as_jpeg_samples(picked, width=width, height=height).output(
            str(self.samples / "%09d.jpg"),
            f="image2",
            frame_pts=1,
            atomic_writing=1,
            fps_mode="passthrough",
            threads=1,
            **{"c:v": "mjpeg", "q:v": 4},
        )

    def _rung_output(self, stream: Any, rung: Rung) -> Any:
        threads = self.tools.threads
        options = x264_options(rung, self.plan.grid, preset=self.plan.preset, threads=threads)
        return self._fragmented(stream, rung, fps_mode="passthrough", **options)

    def _copy_output(self, stream: Any, rung: Rung) -> Any:
        plan = self.plan
        start = plan.grid.start_seconds(plan.start_segment)
        copy = {
            "c:v": "copy",
            "frames:v": plan.frames,
            "copypriorss": 1,
            "output_ts_offset": f"{-float(start) - plan.source.start_us / 1e6:.6f}",
        }
        return self._fragmented(stream, rung, **copy)

    def _fragmented(self, stream: Any, rung: Rung, **options: Any) -> Any:
        return stream.output(
            str(self.rung_path(rung)),
            f="mp4",
            video_track_timescale=self.plan.grid.timescale,
            movflags=_MOVFLAGS,
            map_metadata=-1,
            map_chapters=-1,
            fflags="+bitexact",
            flush_packets=1,
            **options,
        )


def x264_options(rung: Rung, grid: SegmentGrid, *, preset: str, threads: int) -> dict[str, Any]:
    """Options of libx264 for a rung: closed GOPs at fixed places, BT.709, bounded rate."""
    if threads == 0 and (os.cpu_count() or 1) > _THREADS_MAX:
        threads = _THREADS_MAX
    return {
        "c:v": "libx264",
        "preset": preset,
        "profile:v": "high",
        "pix_fmt": "yuv420p",
        "b:v": rung.bitrate,
        "maxrate": rung.maxrate,
        "bufsize": rung.buffer_bits,
        "g": grid.frames_per_gop,
        "keyint_min": grid.frames_per_gop,
        "sc_threshold": 0,
        "threads": threads,
        "color_primaries": "bt709",
        "color_trc": "bt709",
        "colorspace": "bt709",
        "color_range": "tv",
    }
