"""What the owner of a media, or staff, can set in motion."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import structlog
from anyio import to_thread
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.service import RPCError, RPCStatusCode

from api.auth.callers import SignedIn
from api.etags import require_match
from api.media.starting import begin_deletion, begin_ingest
from api.parts import Parts
from api.starting import TEMPORAL_FAULTS, TEMPORAL_SECONDS
from domain.access import Reason
from domain.errors import AccessDenied, Conflict, NotFound, Unavailable
from domain.ids import ingest_workflow_id
from domain.media.states import MediaState, Visibility
from infra.db import async_transaction
from infra.models import AuditEntry, Media, Upload, User
from infra.queries import audit
from infra.queries.access import OpenedMedia, open_media, open_media_row
from infra.queries.generations import begin_generation
from infra.queries.posts.writing import require_in_public_posts_only

log = structlog.get_logger(__name__)


async def open_managed(parts: Parts, *, caller: SignedIn, media_id: str) -> OpenedMedia:
    """A media that the caller owns, or may handle as staff.

    Raises:
        NotFound: the caller may not know of it.
        AccessDenied: they may, but it is not theirs.
    """
    opened = await open_media_row(
        parts.reads, caller=caller.caller, media_id=media_id, now=parts.now()
    )
    return require_managed(opened)


def require_managed(opened: OpenedMedia) -> OpenedMedia:
    if not opened.is_managed:
        raise AccessDenied("Only its owner can do that.", code="not_owner")
    return opened


async def open_own(parts: Parts, *, caller: SignedIn, media_id: str) -> OpenedMedia:
    """A media that the caller owns; that they may handle it as staff is not enough.

    Raises:
        NotFound: the caller may not know of it.
        AccessDenied: `not_owner`.
    """
    opened = await open_managed(parts, caller=caller, media_id=media_id)
    if opened.decision.reason is not Reason.OWNER:
        raise AccessDenied("Only its owner can do that.", code="not_owner")
    return opened


async def change_media(
    parts: Parts, opened: OpenedMedia, changes: Mapping[str, object], *, if_match: str
) -> None:
    """Change title, alternative text or visibility, as far as `changes` names them.

    Raises:
        PreconditionFailed: it was edited meanwhile.
        Conflict: it is to be public, and a post that is not public carries it.
    """
    async with async_transaction(parts.engine) as session:
        media = await lock_media(session, opened.media.id)
        require_match(if_match, media.version)
        if changes.get("visibility") == Visibility.PUBLIC:
            await require_in_public_posts_only(session, media.id)
        _apply(media, changes)
        media.version += 1
        media.updated_at = parts.now()


def _apply(media: Media, changes: Mapping[str, object]) -> None:
    if "title" in changes:
        media.title = _text(changes["title"])
    if "alt_text" in changes:
        media.alt_text = _text(changes["alt_text"])
    if "visibility" in changes:
        media.visibility = Visibility(str(changes["visibility"]))


def _text(value: object) -> str | None:
    return None if value is None else str(value)


async def lock_media(session: AsyncSession, media_id: str) -> Media:
    """The row, locked, as it stands now: it may have changed since it was opened."""
    media = await session.get(Media, media_id, with_for_update=True)
    if media is None or media.state in (MediaState.DELETED, MediaState.EXPIRED):
        raise NotFound("There is no such media.", code="media_not_found", media_id=media_id)
    return media


async def record_staff_act(
    session: AsyncSession, opened: OpenedMedia, action: str, **detail: str
) -> None:
    """What staff do to somebody else's media is written down with it."""
    if opened.decision.reason is Reason.STAFF:
        staff = await session.get_one(User, opened.viewer.user_id)
        entry = AuditEntry(
            actor_id=staff.id,
            actor_name=staff.handle,
            action=action,
            subject_type="media",
            subject_id=opened.media.id,
            detail={"owner_id": opened.media.owner_id, **detail},
        )
        await session.run_sync(audit.record, entry)


async def audit_staff_view(parts: Parts, opened: OpenedMedia, action: str) -> None:
    """Staff may see what they are not entitled to, and each time is written down."""
    media = opened.media
    is_for_all = media.visibility == Visibility.PUBLIC and media.media_state.is_servable
    if opened.decision.reason is Reason.STAFF and not is_for_all:
        async with async_transaction(parts.engine) as session:
            await record_staff_act(session, opened, action)


async def delete_media(parts: Parts, *, caller: SignedIn, media_id: str) -> None:
    """Hide a media from everybody at once, then have all of it erased."""
    opened = await open_managed(parts, caller=caller, media_id=media_id)
    now = parts.now()
    async with async_transaction(parts.engine) as session:
        media = await lock_media(session, media_id)
        was_uploading = media.state == MediaState.UPLOADING
        media.state, media.deleted_at, media.updated_at = MediaState.DELETED, now, now
        media.rejection_code = media.rejection_detail = None
        upload = await _open_upload_of(session, media_id) if was_uploading else None
        if upload is not None:
            upload.state = "aborted"
        await record_staff_act(session, opened, "media.deleted")
    await begin_deletion(parts, media, requested_by=opened.viewer.role.value)
    if upload is not None and upload.multipart_id is not None:
        await _abort_parts(parts, upload.object_key, upload.multipart_id)


async def _abort_parts(parts: Parts, object_key: str, multipart_id: str) -> None:
    try:
        await to_thread.run_sync(parts.storage.abort_multipart, object_key, multipart_id)
    except Unavailable as error:
        # The deletion stands. The buckets' lifecycle aborts what is left open.
        log.warning("multipart_left_to_lifecycle", key=object_key, why=error.message)


async def release_held(parts: Parts, *, caller: SignedIn, media_id: str) -> None:
    """Serve what moderation held back, because a person found nothing wrong with it.

    Whoever does find something wrong deletes the media instead.

    Raises:
        AccessDenied: `staff_only`.
        Conflict: `not_held`.
    """
    opened = await open_managed(parts, caller=caller, media_id=media_id)
    if opened.decision.reason is not Reason.STAFF:
        raise AccessDenied("Only a moderator can do that.", code="staff_only")
    async with async_transaction(parts.engine) as session:
        media = await lock_media(session, media_id)
        if media.state != MediaState.HELD:
            raise Conflict("It is not held back.", code="not_held", state=media.state)
        media.state = MediaState.READY
        # Renditions that are made again later are covered by the same judgement.
        media.moderation_outcome = "pass"
        media.updated_at = parts.now()
        await record_staff_act(session, opened, "media.released")


async def reprocess_media(
    parts: Parts, *, caller: SignedIn, media_id: str, renditions: Sequence[str]
) -> Media:
    """Run ingest again as a new generation; the published one is served until it is replaced.

    Raises:
        Conflict: `already_processing`, `held_for_review`, `not_processed`, `original_gone` or
            `sealed_original`.
        NotFound: `rendition_unknown`.
    """
    opened = await open_managed(parts, caller=caller, media_id=media_id)
    if renditions:
        await _require_renditions(parts, caller=caller, media_id=media_id, names=renditions)
    only = tuple(dict.fromkeys(renditions))
    async with async_transaction(parts.engine) as session:
        media = await lock_media(session, media_id)
        begin_generation(media, only_renditions=only, at=parts.now())
        await record_staff_act(session, opened, "media.reprocessed", renditions=",".join(only))
    await begin_ingest(parts, media, only_renditions=only)
    return media


async def _require_renditions(
    parts: Parts, *, caller: SignedIn, media_id: str, names: Sequence[str]
) -> None:
    opened = await open_media(parts.reads, caller=caller.caller, media_id=media_id, now=parts.now())
    known = {each.name for each in opened.renditions}
    for name in names:
        if name not in known:
            raise NotFound(
                f"The media has no rendition {name}.", code="rendition_unknown", rendition=name
            )


async def cancel_processing(parts: Parts, *, caller: SignedIn, media_id: str) -> None:
    """Ask the media's run to end. What it made so far is deleted by the run itself.

    Raises:
        Conflict: `not_processing`.
        Unavailable: Temporal did not answer; nothing was cancelled.
    """
    opened = await open_managed(parts, caller=caller, media_id=media_id)
    media = opened.media
    if not media.media_state.is_running:
        raise Conflict("It is not being processed.", code="not_processing", state=media.state)
    run = parts.temporal.get_workflow_handle(ingest_workflow_id(media.id, media.generation))
    try:
        async with asyncio.timeout(TEMPORAL_SECONDS):
            await run.cancel()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise _temporal_silent() from error
        await _cancel_unstarted(parts, media_id, generation=media.generation)
    except TEMPORAL_FAULTS as error:
        raise _temporal_silent() from error
    async with async_transaction(parts.engine) as session:
        await record_staff_act(session, opened, "media.cancelled")


async def _cancel_unstarted(parts: Parts, media_id: str, *, generation: int) -> None:
    """No run is there to end: a crash left it unstarted, or it is over by now."""
    async with async_transaction(parts.engine) as session:
        media = await lock_media(session, media_id)
        if MediaState(media.state).is_running and media.generation == generation:
            served = media.state == MediaState.PLAYABLE and media.published_generation is not None
            media.state = MediaState.READY if served else MediaState.CANCELLED
            media.updated_at = parts.now()


async def _open_upload_of(session: AsyncSession, media_id: str) -> Upload | None:
    upload: Upload | None = await session.scalar(
        select(Upload).where(Upload.media_id == media_id, Upload.state == "open").with_for_update()
    )
    return upload


def _temporal_silent() -> Unavailable:
    return Unavailable("The workflow service did not answer.", code="workflows_unavailable")
