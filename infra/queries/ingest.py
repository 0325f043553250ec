"""What ingest writes: how a run stands, what it made, and the switch to what is served.

Every function runs inside the caller's transaction and may run twice with the same outcome.
A run whose generation is no longer the media's latest writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from domain.errors import NotFound
from domain.media.rejections import RejectionCode
from domain.media.states import MediaState, RenditionKind, may_move
from infra.models import EncodedChunk, Media, Rendition


class StaleRun(NotFound):
    """The media is deleted, or a later generation has taken over; the run should end."""

    code = "stale_run"


@dataclass(frozen=True)
class RenditionRow:
    """One rendition as it is stored."""

    kind: RenditionKind
    name: str
    content_type: str
    bucket: str
    object_key: str
    bytes: int
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    encrypted: bool = False
    segments: list[list[int]] | None = None
    meta: dict[str, Any] = field(default_factory=dict)


def load_media(session: Session, media_id: str, *, generation: int, lock: bool = False) -> Media:
    """The media row of a live run.

    Raises:
        StaleRun: deleted, or overtaken by a later generation.
    """
    query = select(Media).where(Media.id == media_id)
    media = session.scalars(query.with_for_update() if lock else query).one_or_none()
    if media is None or media.state == MediaState.DELETED or media.generation != generation:
        raise StaleRun(
            "this run no longer speaks for the media", media_id=media_id, generation=generation
        )
    return media


def write_progress(
    session: Session,
    *,
    media_id: str,
    generation: int,
    step: str,
    percent: int,
    note: str | None = None,
) -> None:
    """Coarse progress; never goes back, never touches a run that is over."""
    session.execute(
        update(Media)
        .where(
            Media.id == media_id,
            Media.generation == generation,
            Media.state.in_([MediaState.PROCESSING, MediaState.PLAYABLE]),
        )
        .values(
            step=step,
            progress_percent=func.greatest(Media.progress_percent, percent),
            progress_note=note,
            updated_at=func.now(),
        )
    )


def move_state(
    media: Media,
    target: MediaState,
    *,
    rejection_code: str | None = None,
    rejection_detail: str | None = None,
    note: str | None = None,
) -> MediaState:
    """Move a locked media row to `target`; returns the state it is in afterwards.

    A generation that fails leaves what an earlier one published in place: the media goes
    back to `ready`, and the note says why. Only where the content itself may not be served,
    the earlier one goes with it. A move that is not allowed changes nothing.
    """
    served = media.published_generation
    fails = target in (MediaState.REJECTED, MediaState.CANCELLED, MediaState.FAILED)
    forbidden = rejection_code is not None and RejectionCode(rejection_code).forbids_serving
    if forbidden or (fails and served == media.generation):
        served = None
    if fails and served is not None:
        note = f"Re-processing ended: {rejection_code or target.value}. The earlier version stays."
        target, rejection_code, rejection_detail = MediaState.READY, None, None
    current = MediaState(media.state)
    if current is not target and not may_move(current, target):
        return current
    media.state, media.published_generation = target.value, served
    media.rejection_code = rejection_code
    media.rejection_detail = rejection_detail
    if note is not None:
        media.progress_note = note
    if target.is_final:
        media.needs_attention = False
    media.updated_at = func.now()
    return target


def upsert_renditions(
    session: Session, *, media_id: str, generation: int, rows: Iterable[RenditionRow]
) -> int:
    """Write renditions of an unpublished generation; returns how many."""
    values = [
        {**asdict(row), "kind": row.kind.value, "media_id": media_id, "generation": generation}
        for row in rows
    ]
    if not values:
        return 0
    statement = insert(Rendition).values(values)
    changed = {
        name: statement.excluded[name]
        for name in values[0]
        if name not in ("media_id", "generation", "kind", "name")
    }
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["media_id", "generation", "kind", "name"], set_=changed
        )
    )
    return len(values)


def upsert_chunk(
    session: Session,
    *,
    media_id: str,
    generation: int,
    rung: str,
    chunk_index: int,
    first_segment: int,
    segments: list[list[int]],
    meta: dict[str, Any],
) -> None:
    """Record one encoded chunk of one rung; a repeat replaces it."""
    statement = insert(EncodedChunk).values(
        media_id=media_id,
        generation=generation,
        rung=rung,
        chunk_index=chunk_index,
        first_segment=first_segment,
        segments=segments,
        meta=meta,
    )
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["media_id", "generation", "rung", "chunk_index"],
            set_={
                "first_segment": statement.excluded.first_segment,
                "segments": statement.excluded.segments,
                "meta": statement.excluded.meta,
            },
        )
    )


def chunks_of(session: Session, *, media_id: str, generation: int) -> dict[str, list[EncodedChunk]]:
    """Encoded chunks by rung, in the order of the video."""
    rows = session.scalars(
        select(EncodedChunk)
        .where(EncodedChunk.media_id == media_id, EncodedChunk.generation == generation)
        .order_by(EncodedChunk.rung, EncodedChunk.chunk_index)
    )
    by_rung: dict[str, list[EncodedChunk]] = {}
    for row in rows:
        by_rung.setdefault(row.rung, []).append(row)
    return by_rung


def keep_published_renditions(
    session: Session, media: Media, *, generation: int, remade: Iterable[str]
) -> int:
    """Carry the published renditions that were not made again over to `generation`.

    Rows are copied, objects are not: a kept rendition still points to where it lies.
    """
    remade_names = set(remade)
    kept = [
        row
        for row in renditions_of(session, media_id=media.id, generation=media.published_generation)
        if row.name not in remade_names
    ]
    return upsert_renditions(
        session,
        media_id=media.id,
        generation=generation,
        rows=[_copied(row) for row in kept],
    )


def _copied(row: Rendition) -> RenditionRow:
    return RenditionRow(
        kind=RenditionKind(row.kind),
        name=row.name,
        content_type=row.content_type,
        bucket=row.bucket,
        object_key=row.object_key,
        bytes=row.bytes,
        width=row.width,
        height=row.height,
        duration_ms=row.duration_ms,
        encrypted=row.encrypted,
        segments=row.segments,
        meta=row.meta,
    )


def renditions_of(session: Session, *, media_id: str, generation: int | None) -> list[Rendition]:
    return list(
        session.scalars(
            select(Rendition).where(
                Rendition.media_id == media_id, Rendition.generation == generation
            )
        )
    )


def switch_generation(media: Media, *, state: MediaState, now: datetime) -> MediaState:
    """Serve the media's latest generation from here on, in `state`.

    An attempt at `playable` that comes late, when all is ready, changes nothing.
    """
    if state is MediaState.PLAYABLE and media.state == MediaState.READY:
        return MediaState.READY
    reached = move_state(media, state)
    if reached is not state:
        return reached
    media.published_generation = media.generation
    media.playable_at = media.playable_at or now
    if state is not MediaState.PLAYABLE:
        media.ready_at = media.ready_at or now
        media.progress_percent = 100
        media.progress_note = None
        media.step = "publish"
    return reached


def forget_generation(session: Session, *, media_id: str, generation: int) -> None:
    """Drop the rows of a generation. Its objects are the caller's matter, after commit."""
    for table in (Rendition, EncodedChunk):
        session.execute(
            delete(table).where(table.media_id == media_id, table.generation == generation)
        )


def superseded_generations(
    session: Session, *, before: datetime, limit: int
) -> list[tuple[str, int]]:
    """`(media_id, generation)` that were replaced by a later one before `before`."""
    rows = session.execute(
        select(Rendition.media_id, Rendition.generation)
        .join(Media, Media.id == Rendition.media_id)
        .where(
            Rendition.generation < Media.published_generation,
            Media.published_generation > 1,
            Media.state == MediaState.READY,
            Media.updated_at < before,
        )
        .distinct()
        .limit(limit)
    )
    return [(media_id, generation) for media_id, generation in rows]


def unreferenced_objects(session: Session, *, media_id: str) -> list[tuple[str, str, bool]]:
    """`(bucket, key or prefix, is_prefix)` of old generations that no served row points to."""
    media = session.get_one(Media, media_id)
    served = {
        (row.bucket, row.object_key)
        for row in renditions_of(session, media_id=media_id, generation=media.published_generation)
    }
    older = select(Rendition).where(
        Rendition.media_id == media_id, Rendition.generation < media.published_generation
    )
    return sorted(
        {
            (row.bucket, row.object_key, row.segments is not None)
            for row in session.scalars(older)
            if (row.bucket, row.object_key) not in served
        }
    )
