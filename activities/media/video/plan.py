"""How one generation of a video or recording is encoded.

Fixed when the file is probed and kept in `media.plan`, so that chunks encoded hours apart, by
workers of other versions or settings, still fit together.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from activities.media.originals import fetch_original
from activities.parts import WorkerParts
from activities.progress import Reporter
from domain.errors import Conflict
from domain.media.video import (
    Chunk,
    Rung,
    SegmentGrid,
    SourceAudio,
    SourceVideo,
    source_from_facts,
)
from infra.db import transaction
from infra.models import Media
from infra.queries import ingest


@dataclass(frozen=True)
class StoredPlan:
    """`media.plan`, typed. `grid` is None and `rungs` empty for a recording."""

    source: SourceVideo | SourceAudio
    only_renditions: tuple[str, ...] = ()
    grid: SegmentGrid | None = None
    rungs: tuple[Rung, ...] = ()
    passes: tuple[tuple[str, ...], ...] = ()
    chunks: tuple[Chunk, ...] = (Chunk(0, 0, None),)
    sample_every_frames: int | None = None
    preset: str = "veryfast"

    def rungs_of(self, pass_index: int) -> tuple[Rung, ...]:
        names = self.passes[pass_index]
        return tuple(rung for rung in self.rungs if rung.name in names)

    def share_before(self, pass_index: int) -> float:
        """Part (0–1) of the encoding work that lies before a pass, by pixels."""
        work = self._work_by_pass()
        return sum(work[:pass_index]) / sum(work)

    def share_of(self, pass_index: int) -> float:
        work = self._work_by_pass()
        return work[pass_index] / sum(work)

    def _work_by_pass(self) -> list[int]:
        return [
            sum(rung.pixels for rung in self.rungs_of(index)) for index in range(len(self.passes))
        ]

    def as_json(self) -> dict[str, Any]:
        grid = asdict(self.grid) if self.grid is not None else None
        if grid is not None and self.grid is not None:
            grid["frame_rate"] = str(self.grid.frame_rate)
        return {
            "source": self.source.as_facts(),
            "only_renditions": list(self.only_renditions),
            "grid": grid,
            "rungs": [asdict(rung) for rung in self.rungs],
            "passes": [list(names) for names in self.passes],
            "chunks": [asdict(chunk) for chunk in self.chunks],
            "sample_every_frames": self.sample_every_frames,
            "preset": self.preset,
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> StoredPlan:
        grid = stored["grid"]
        return cls(
            source=source_from_facts(stored["source"]),
            only_renditions=tuple(stored["only_renditions"]),
            grid=SegmentGrid(**grid | {"frame_rate": Fraction(grid["frame_rate"])})
            if grid is not None
            else None,
            rungs=tuple(Rung(**rung) for rung in stored["rungs"]),
            passes=tuple(tuple(names) for names in stored["passes"]),
            chunks=tuple(Chunk(**chunk) for chunk in stored["chunks"]),
            sample_every_frames=stored["sample_every_frames"],
            preset=stored["preset"],
        )


@dataclass(frozen=True)
class Job:
    """A media row as one activity run found it, and its plan."""

    media: Media
    plan: StoredPlan

    @property
    def video(self) -> tuple[SourceVideo, SegmentGrid]:
        """Source and grid of a job that has pictures.

        Raises:
            Conflict: it is a recording; the workflow asked for the wrong step.
        """
        if isinstance(self.plan.source, SourceVideo) and self.plan.grid is not None:
            return self.plan.source, self.plan.grid
        raise Conflict("a recording has no pictures to encode", media_id=self.media.id)


def load_job(parts: WorkerParts, media_id: str, generation: int) -> Job:
    """The row and the plan of a live run.

    Raises:
        StaleRun: deleted or overtaken.
        Conflict: not probed yet.
    """
    media = load_detached(parts, media_id, generation)
    if media.plan is None or "source" not in media.plan:
        raise Conflict("this media has no encoding plan yet", media_id=media_id)
    return Job(media, StoredPlan.from_json(media.plan))


def load_detached(parts: WorkerParts, media_id: str, generation: int) -> Media:
    """The row of a live run, to be read after its transaction."""
    with transaction(parts.engine) as session:
        media = ingest.load_media(session, media_id, generation=generation)
        session.expunge(media)
        return media


@contextmanager
def local_original(parts: WorkerParts, media: Media, report: Reporter) -> Iterator[Path]:
    """The original on this machine's scratch disk; see `Scratch.original`."""

    def fetch(path: Path) -> None:
        fetch_original(parts, media, path, report)

    with parts.scratch.original(
        media.original_key,
        size_bytes=media.original_bytes,
        fetch=fetch,
        on_wait=report.alive,
    ) as path:
        yield path
