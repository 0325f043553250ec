"""Chunks become renditions: stitching of segment lists, no second pass over bytes."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from sqlalchemy.orm import Session

from activities.media.video.plan import StoredPlan
from activities.parts import WorkerParts
from domain.errors import Conflict
from domain.media.hls import average_bandwidth, peak_bandwidth
from domain.media.renditions import StreamMeta, stream_prefix
from domain.media.states import RenditionKind
from domain.media.video import Rung, SegmentGrid
from infra.models import EncodedChunk, Media
from infra.queries import ingest
from infra.queries.ingest import RenditionRow

log = structlog.get_logger(__name__)


def join_chunks(session: Session, media: Media, parts: WorkerParts) -> int:
    """Write a rendition for each rung of which every chunk is there; returns how many.

    Where single renditions were made again, the others are carried over.

    Raises:
        Conflict: chunks don't fit together; publishing them would break playback.
    """
    if media.plan is None or "source" not in media.plan:
        return 0
    plan = StoredPlan.from_json(media.plan)
    chunks = ingest.chunks_of(session, media_id=media.id, generation=media.generation)
    rows = [
        joined(media, plan.grid, rung, chunks[rung.name], bucket=parts.storage.media)
        for rung in plan.rungs
        if plan.grid is not None and len(chunks.get(rung.name, ())) == len(plan.chunks)
    ]
    written = ingest.upsert_renditions(
        session, media_id=media.id, generation=media.generation, rows=rows
    )
    if plan.only_renditions:
        written += ingest.keep_published_renditions(
            session, media, generation=media.generation, remade=plan.only_renditions
        )
    return written


def joined(
    media: Media, grid: SegmentGrid, rung: Rung, chunks: Sequence[EncodedChunk], *, bucket: str
) -> RenditionRow:
    """One rendition from its chunks, in order and without a gap."""
    segments: list[list[int]] = []
    for chunk in chunks:
        if chunk.first_segment != len(segments) or chunk.meta != chunks[0].meta | {
            "was_replaced": chunk.meta["was_replaced"]
        }:
            raise Conflict(
                "encoded chunks don't fit together; re-process this media",
                media_id=media.id,
                rung=rung.name,
                chunk=chunk.chunk_index,
            )
        segments += chunk.segments
    timescale = chunks[0].meta["timescale"]
    timed = [(ticks / timescale, size) for ticks, size in segments]
    return RenditionRow(
        kind=RenditionKind.VIDEO,
        name=rung.name,
        content_type="video/mp4",
        bucket=bucket,
        object_key=stream_prefix(media.id, media.generation, rung.name),
        bytes=sum(size for _, size in segments),
        width=rung.width,
        height=rung.height,
        duration_ms=round(sum(ticks for ticks, _ in segments) * 1000 / timescale),
        encrypted=True,
        segments=segments,
        meta=StreamMeta(
            generation=media.generation,
            timescale=timescale,
            codecs=chunks[0].meta["codecs"],
            bandwidth=peak_bandwidth(timed),
            average_bandwidth=average_bandwidth(timed),
            frame_rate=str(grid.frame_rate),
        ).as_meta(),
    )
