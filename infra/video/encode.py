"""Encodes a range of segments: one ffmpeg, one decode, every rung of the pass.

Segments are handed over while ffmpeg is still running, in order, each once it is finished in
every rung. A retry starts a new ffmpeg at the first segment that wasn't handed over; what it
makes continues the timeline exactly, since the grid of segments is exact.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from domain.errors import MediaRejected
from domain.media.isobmff import codecs_of_init
from domain.media.rejections import RejectionCode
from domain.media.video import Rung
from infra.video.command import MediaTools, run_ffmpeg
from infra.video.fragments import (
    CutSegment,
    EncodeFailed,
    FragmentTail,
    SegmentCutter,
    ffmpeg_failure,
)
from infra.video.plan import EncodePlan, RangeOutputs
from infra.video.verify import verify_decodes

_WALL_SECONDS_BASE = 600
_WALL_SECONDS_PER_SECOND = 120


@dataclass(frozen=True)
class Sample:
    """A small JPEG, 320 wide, of the frame on screen at `timestamp_ms`; no watermark."""

    timestamp_ms: int
    path: Path


@dataclass(frozen=True)
class FinishedSegment:
    """One segment, finished in every rung, with the samples whose time lies in it."""

    index: int
    frames: int
    duration_ticks: int
    paths: Mapping[str, Path]
    """By name of the rung; clear. The receiver may delete them."""
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True)
class EncodedRange:
    """What an encode made. Init segments are the same bytes for every range of a rung."""

    start_segment: int
    end_segment: int
    timescale: int
    inits: Mapping[str, Path]
    codecs: Mapping[str, str]
    bytes_written: int
    was_replaced: bool = False
    """Nothing of the range could be decoded; it shows black."""


OnSegment = Callable[[FinishedSegment], None]
OnProgress = Callable[[int], None]
"""Called with the frames done, counted from the start of the range."""


def encode_segments(
    *,
    source: Path,
    plan: EncodePlan,
    tools: MediaTools,
    work_dir: Path,
    on_segment: OnSegment,
    on_progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
) -> EncodedRange:
    """Encode the plan's range. `on_segment` and `on_progress` run in the calling thread.

    A range whose data can't be decoded shows black, so that the rest of a damaged file can
    be watched; a file that shows nothing at its start is refused.

    Raises:
        MediaRejected: nothing can be decoded, or it costs more than allowed.
        EncodeFailed: ffmpeg failed and the file isn't known to be the cause.
        OutputUnsound: a rung doesn't decode; segments handed over are to be made again.
        Unavailable: the disk is full.
        ChildFailed: cancelled, or ended from outside.
    """
    run = _Run(source, plan, tools, work_dir, on_segment, on_progress)
    run.go(is_black=False, cancel=cancel)
    if run.delivered == 0 and plan.start_segment > 0:
        run = _Run(source, plan, tools, work_dir, on_segment, on_progress)
        run.go(is_black=True, cancel=cancel)
        run.verify(cancel)
        return run.result(was_replaced=True)
    if run.delivered == 0:
        raise MediaRejected(RejectionCode.CORRUPT_MEDIA)
    run.verify(cancel)
    return run.result(was_replaced=False)


class _Run:
    """One ffmpeg and the segments that it has finished so far."""

    def __init__(
        self,
        source: Path,
        plan: EncodePlan,
        tools: MediaTools,
        work_dir: Path,
        on_segment: OnSegment,
        on_progress: OnProgress | None,
    ) -> None:
        self._plan = plan
        self._tools = tools
        self._folder = work_dir.resolve() / f"encode-{plan.start_segment:06d}"
        self._outputs = RangeOutputs(plan, source, self._folder, tools)
        self._outputs.samples.mkdir(parents=True, exist_ok=True)
        for rung in plan.rungs:
            # What an earlier run left there would be read as the head of the new file.
            self._outputs.rung_path(rung).unlink(missing_ok=True)
        self._on_segment = on_segment
        self._on_progress = on_progress
        self._cutters = {rung.name: self._cutter(rung) for rung in plan.rungs}
        self._cut: dict[str, deque[CutSegment]] = {rung.name: deque() for rung in plan.rungs}
        self._bytes = 0
        self.delivered = 0

    def _cutter(self, rung: Rung) -> SegmentCutter:
        grid, start = self._plan.grid, self._plan.start_segment
        gops = grid.frames_per_segment // grid.frames_per_gop
        return SegmentCutter(
            tail=FragmentTail(self._outputs.rung_path(rung)),
            is_whole=lambda segment, samples, _end: samples >= grid.frames_in(segment),
            name=rung.name,
            folder=self._folder,
            segment=start,
            base_time=self._plan.first_frame * grid.ticks_per_frame,
            sequence=start * gops + 1,
        )

    def go(self, *, is_black: bool, cancel: threading.Event | None) -> None:
        plan = self._plan
        seconds = float(plan.frames / plan.grid.frame_rate)
        bits = sum(rung.maxrate for rung in plan.rungs)
        result = run_ffmpeg(
            self._outputs.nodes(is_black=is_black),
            tools=self._tools,
            limits=self._tools.limits(
                wall_seconds=_WALL_SECONDS_BASE + _WALL_SECONDS_PER_SECOND * seconds,
                file_bytes=int(bits * (seconds + 10)) + (256 << 20),
                reports_progress=True,
            ),
            cwd=self._folder,
            on_line=self._hear,
            tick=self._deliver,
            cancel=cancel,
        )
        self._deliver(at_end=True)
        if result.returncode != 0:
            raise ffmpeg_failure(result.stderr_tail)
        wanted = plan.end - plan.start_segment
        if self.delivered != wanted and (self.delivered or is_black):
            raise EncodeFailed(
                f"{self.delivered} of {wanted} segments came out",
                stderr=result.stderr_tail[-2000:],
            )

    def verify(self, cancel: threading.Event | None) -> None:
        """Decode what was written, as `infra.video.verify` explains."""
        plan = self._plan
        gops = -(-plan.frames // plan.grid.frames_per_gop)
        paths = [self._outputs.rung_path(rung) for rung in plan.rungs]
        segments = plan.end - plan.start_segment
        wanted = dict.fromkeys(paths, gops)
        if plan.copies_top:
            wanted[paths[-1]] = segments
        verify_decodes(
            paths,
            frames=plan.frames,
            key_frames=wanted,
            tools=self._tools,
            work_dir=self._folder,
            cancel=cancel,
        )

    def result(self, *, was_replaced: bool) -> EncodedRange:
        inits: dict[str, Path] = {}
        codecs: dict[str, str] = {}
        for name, cutter in self._cutters.items():
            if cutter.tail.init is None:
                raise EncodeFailed("a rung has no init segment", rung=name)
            inits[name] = self._folder / f"{name}-init.mp4"
            inits[name].write_bytes(cutter.tail.init)
            codecs[name] = codecs_of_init(cutter.tail.init)
        return EncodedRange(
            start_segment=self._plan.start_segment,
            end_segment=self._plan.end,
            timescale=self._plan.grid.timescale,
            inits=inits,
            codecs=codecs,
            bytes_written=self._bytes,
            was_replaced=was_replaced,
        )

    def _hear(self, line: str) -> None:
        name, _, value = line.partition("=")
        if name == "frame" and value.strip().isdigit() and self._on_progress is not None:
            self._on_progress(min(int(value), self._plan.frames))

    def _deliver(self, *, at_end: bool = False) -> None:
        for name, cutter in self._cutters.items():
            self._cut[name].extend(cutter.take(at_end=at_end))
        while all(self._cut.values()):
            index = self._plan.start_segment + self.delivered
            samples = self._samples_of(index)
            if samples is None and not at_end:
                return
            self._hand_over(
                index, {name: cut.popleft() for name, cut in self._cut.items()}, samples or ()
            )

    def _hand_over(
        self, index: int, cuts: dict[str, CutSegment], samples: tuple[Sample, ...]
    ) -> None:
        grid = self._plan.grid
        frames, ticks = grid.frames_in(index), grid.frames_in(index) * grid.ticks_per_frame
        for name, cut in cuts.items():
            if (cut.index, cut.samples, cut.duration_ticks) != (index, frames, ticks):
                raise EncodeFailed(
                    f"segment {index} of {name} holds {cut.samples} frames, not {frames}",
                    ticks=cut.duration_ticks,
                    ticks_wanted=ticks,
                )
        self._bytes += sum(cut.bytes for cut in cuts.values())
        self._on_segment(
            FinishedSegment(
                index=index,
                frames=frames,
                duration_ticks=ticks,
                paths={name: cut.path for name, cut in cuts.items()},
                samples=samples,
            )
        )
        self.delivered += 1

    def _samples_of(self, segment: int) -> tuple[Sample, ...] | None:
        """The samples in a segment; None while one of them isn't written yet."""
        every = self._plan.sample_every_frames
        if every is None:
            return ()
        grid = self._plan.grid
        start, end = grid.start_frame(segment), grid.start_frame(segment + 1)
        found: list[Sample] = []
        for frame in range(-(-start // every) * every, end, every):
            path = self._outputs.sample_path(frame)
            if not path.exists():
                return None
            found.append(Sample(round(frame * 1000 / grid.frame_rate), path))
        return tuple(found)
