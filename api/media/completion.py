"""Completing an upload: storage first, then the rows, then the run.

Each line may be the last one that a process reaches, and each may be repeated:

    join the parts      a repeat finds the object that is there already
    settle the rows     only an open upload moves; a repeat finds it completed
    start ingest        a repeat finds the run that is there already; so does the sweep
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from anyio import to_thread
from sqlalchemy.ext.asyncio import AsyncSession

from api.media.schemas import CompletedPart
from api.media.starting import begin_ingest
from api.media.uploading import expired, lost, plan_of, require_open
from api.parts import Parts
from domain.access import Caller
from domain.errors import Conflict, Invalid, NotFound
from domain.ids import ingest_workflow_id
from domain.media.rejections import RejectionCode
from domain.media.states import MediaState
from domain.media.uploads import PartPlan
from infra.db import async_transaction
from infra.models import AuditEntry, Media, Upload
from infra.queries import audit
from infra.queries.uploads import load_upload
from infra.storage import ArrivedPart, Storage, StoredObject

_NAMED_PARTS_MAX = 10


async def complete_upload(
    parts: Parts, *, upload_id: str, caller: Caller, claimed: Sequence[CompletedPart] | None
) -> tuple[Upload, Media]:
    """Bring an upload to `completed` and its media to `processing`; safe to repeat.

    Raises:
        NotFound: not this caller's upload.
        Gone: expired, aborted, or storage lost it.
        Conflict: bytes are still missing, or differ from what the client or the plan says;
            the upload stays open, so that they can be sent again.
        Invalid: `size_mismatch`.
        Unavailable: storage did not answer; try again.
    """
    async with async_transaction(parts.engine) as session:
        upload, media = await load_upload(session, upload_id=upload_id, caller=caller)
    if upload.state != "completed":
        require_open(upload, now=parts.now())
        stored = await to_thread.run_sync(join, parts.storage, upload, claimed)
        async with async_transaction(parts.engine) as session:
            upload, media = await _settle(
                session, parts, upload_id=upload_id, caller=caller, stored=stored
            )
    if media.rejection_code == RejectionCode.SIZE_MISMATCH:
        raise _wrong_size(expected=upload.declared_bytes, arrived=media.original_bytes)
    if media.state == MediaState.PROCESSING:
        await begin_ingest(parts, media)
    return upload, media


async def _settle(
    session: AsyncSession, parts: Parts, *, upload_id: str, caller: Caller, stored: StoredObject
) -> tuple[Upload, Media]:
    """Move both rows, unless a second `complete` or the sweep was faster."""
    upload, media = await load_upload(session, upload_id=upload_id, caller=caller, lock=True)
    if upload.state == "completed":
        return upload, media
    if upload.state != "open":
        raise expired(upload)
    now = parts.now()
    upload.state, upload.completed_at = "completed", now
    media.original_bytes, media.updated_at = stored.bytes, now
    if stored.bytes != upload.declared_bytes:
        # The parts are joined, so they can't be sent again.
        await _reject_wrong_size(session, parts, media)
        return upload, media
    media.state = MediaState.PROCESSING
    media.workflow_id = ingest_workflow_id(media.id, media.generation)
    return upload, media


async def _reject_wrong_size(session: AsyncSession, parts: Parts, media: Media) -> None:
    """As a run that refuses a file leaves it: no run will ever look at this one."""
    media.state = MediaState.REJECTED
    media.rejection_code = RejectionCode.SIZE_MISMATCH
    media.rejection_detail = RejectionCode.SIZE_MISMATCH.sentence
    media.retain_original_until = media.updated_at + timedelta(
        days=parts.settings.quarantine_rejected_retention_days
    )
    entry = AuditEntry(
        actor_name="system",
        action="media.rejected",
        subject_type="media",
        subject_id=media.id,
        detail={"code": media.rejection_code, "generation": media.generation},
    )
    await session.run_sync(audit.record, entry)


def join(storage: Storage, upload: Upload, claimed: Sequence[CompletedPart] | None) -> StoredObject:
    """What storage holds as one object when this returns. Blocks: call it in a thread.

    Raises:
        Gone: `upload_lost`.
        Conflict, Invalid: as `check_arrived` and `Storage.complete_multipart`.
    """
    plan = plan_of(upload)
    if not plan.multipart:
        return _single(storage, upload)
    if upload.multipart_id is None:
        raise lost(upload)
    try:
        arrived = storage.list_parts(upload.object_key, upload.multipart_id)
        check_arrived(arrived, plan=plan, claimed=claimed)
        return storage.complete_multipart(upload.object_key, upload.multipart_id, arrived)
    except (NotFound, Conflict, Invalid) as error:
        # A second `complete` may have joined the parts meanwhile. They vanish one by one then,
        # so a list taken in that moment is short; the object itself tells.
        stored = storage.head(storage.quarantine, upload.object_key)
        if stored is not None:
            return stored
        if isinstance(error, NotFound):
            raise lost(upload) from None
        raise


def _single(storage: Storage, upload: Upload) -> StoredObject:
    stored = storage.head(storage.quarantine, upload.object_key)
    if stored is None:
        raise Conflict(
            "Nothing has arrived yet. Send the file to the signed address first.",
            code="parts_missing",
            missing_count=1,
            missing="1",
        )
    if stored.bytes != upload.declared_bytes:
        raise _wrong_size(expected=upload.declared_bytes, arrived=stored.bytes)
    return stored


def check_arrived(
    arrived: Sequence[ArrivedPart], *, plan: PartPlan, claimed: Sequence[CompletedPart] | None
) -> None:
    """Compare what arrived with the plan and with what the client believes.

    Raises:
        Conflict: `parts_missing`, `part_size_wrong` or `part_differs`.
    """
    by_number = {part.number: part for part in arrived}
    missing = missing_parts(arrived, plan=plan)
    if missing:
        raise Conflict(
            f"{len(missing)} of {plan.part_count} parts have not arrived.",
            code="parts_missing",
            missing_count=len(missing),
            missing=",".join(map(str, missing[:_NAMED_PARTS_MAX])),
        )
    for part in arrived:
        expected = plan.bytes_of_part(part.number)
        if part.bytes != expected:
            raise Conflict(
                f"Part {part.number} has {part.bytes} bytes instead of {expected}. Send it again.",
                code="part_size_wrong",
                part=part.number,
                size_bytes=part.bytes,
                expected_bytes=expected,
            )
    for mine in claimed or ():
        there = by_number.get(mine.number)
        if there is None or there.etag != mine.etag.strip('"'):
            raise Conflict(
                f"Part {mine.number} is not the one that arrived. Send it again.",
                code="part_differs",
                part=mine.number,
            )


def missing_parts(arrived: Sequence[ArrivedPart], *, plan: PartPlan) -> list[int]:
    there = {part.number for part in arrived}
    return [number for number in range(1, plan.part_count + 1) if number not in there]


def _wrong_size(*, expected: int, arrived: int) -> Invalid:
    return Invalid(
        RejectionCode.SIZE_MISMATCH.sentence,
        code=RejectionCode.SIZE_MISMATCH,
        expected_bytes=expected,
        arrived_bytes=arrived,
    )
