"""Opening and giving up uploads: rows first, then storage, never both in one transaction.

A process that dies between two lines leaves an open row without a multipart id, or a
multipart upload that no row names. Neither is usable, and the sweep removes both.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from anyio import to_thread
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from api.media.schemas import UploadCreate
from api.parts import Parts
from domain.access import Caller
from domain.errors import Conflict, FansworldError, Gone, QuotaExceeded, Unavailable
from domain.media.states import MediaKind, MediaState, Visibility
from domain.media.uploads import (
    DeclaredFile,
    PartPlan,
    PartRules,
    Teaser,
    UploadLimits,
    check_declared,
    default_visibility,
    plan_parts,
)
from infra.db import async_transaction
from infra.ids import new_id
from infra.models import Media, Upload
from infra.queries.uploads import Holdings, Uploader, holdings_of, load_upload, lock_uploader
from infra.settings import Settings


def limits_from(settings: Settings) -> UploadLimits:
    return UploadLimits(
        image_bytes_max=settings.upload_image_bytes_max,
        audio_bytes_max=settings.upload_audio_bytes_max,
        video_bytes_max=settings.upload_video_bytes_max,
        avatar_bytes_max=settings.upload_avatar_bytes_max,
        teaser_seconds_max=settings.teaser_seconds_max,
        open_uploads_max=settings.upload_open_max,
        storage_bytes_max=settings.storage_quota_bytes,
    )


def part_rules_from(settings: Settings) -> PartRules:
    return PartRules(
        single_put_bytes_max=settings.upload_single_put_bytes_max,
        part_bytes_min=settings.upload_part_bytes_min,
        part_bytes_max=settings.upload_part_bytes_max,
    )


def plan_of(upload: Upload) -> PartPlan:
    """As it was planned when the upload was opened; settings may have changed since."""
    return PartPlan(
        size_bytes=upload.declared_bytes,
        part_bytes=upload.part_bytes,
        part_count=upload.part_count,
    )


async def open_upload(
    parts: Parts, *, caller: Caller, wish: UploadCreate, now: datetime
) -> tuple[Upload, Media]:
    """Write the rows, then open the multipart upload where one is needed.

    Raises:
        AccessDenied, UnsupportedType, Invalid, TooLarge: see `check_declared`.
        QuotaExceeded: `open_uploads_exceeded` or `storage_quota_exceeded`.
        Unavailable: storage did not answer; nothing is left open.
    """
    async with async_transaction(parts.engine) as session:
        uploader = await lock_uploader(session, caller)
        limits = limits_from(parts.settings)
        kind = check_declared(_declared(wish), role=uploader.role, limits=limits)
        check_holdings(
            await holdings_of(session, uploader.user_id, now=now),
            size_bytes=wish.size_bytes,
            limits=limits,
        )
        plan = plan_parts(wish.size_bytes, part_rules_from(parts.settings))
        media = _media_row(uploader, wish, kind)
        upload = _upload_row(media, wish, plan, settings=parts.settings, now=now)
        session.add(media)
        await session.flush()
        session.add(upload)
        await session.flush()
        await session.refresh(upload)
    if plan.multipart:
        await _open_multipart(parts, upload)
    return upload, media


def check_holdings(holdings: Holdings, *, size_bytes: int, limits: UploadLimits) -> None:
    if holdings.open_uploads >= limits.open_uploads_max:
        raise QuotaExceeded(
            f"There are {holdings.open_uploads} unfinished uploads; an account may hold "
            f"{limits.open_uploads_max}. Complete or abort one.",
            code="open_uploads_exceeded",
            open_uploads=holdings.open_uploads,
            limit=limits.open_uploads_max,
        )
    if holdings.stored_bytes + size_bytes > limits.storage_bytes_max:
        raise QuotaExceeded(
            f"The account holds {holdings.stored_bytes} bytes of originals; with this file it "
            f"would exceed {limits.storage_bytes_max}. Delete media to make room.",
            code="storage_quota_exceeded",
            stored_bytes=holdings.stored_bytes,
            size_bytes=size_bytes,
            limit_bytes=limits.storage_bytes_max,
        )


async def abort_upload(parts: Parts, *, upload_id: str, caller: Caller) -> None:
    """Give an open upload up: the row at once, then what lies in storage.

    Repeating it is safe, and so is a crash after the commit: a deleted media that is not
    erased yet is erased by the sweep.
    """
    async with async_transaction(parts.engine) as session:
        upload, media = await load_upload(session, upload_id=upload_id, caller=caller, lock=True)
        if upload.state == "completed":
            raise Conflict(
                "The upload is complete. Delete its media instead.",
                code="upload_completed",
                media_id=media.id,
            )
        if upload.state == "expired":
            raise expired(upload)
        upload.state = "aborted"
        media.state = MediaState.DELETED
        media.deleted_at = media.deleted_at or parts.now()
        media.updated_at = parts.now()
    await to_thread.run_sync(_erase_upload, parts, upload.object_key, upload.multipart_id)
    await _mark_erased(parts, media.id)


def require_open(upload: Upload, *, now: datetime) -> None:
    """Refuse an upload that takes no more bytes.

    Raises:
        Gone: expired or aborted.
        Conflict: already complete.
    """
    if upload.state == "expired" or (upload.state == "open" and upload.expires_at <= now):
        raise expired(upload)
    if upload.state == "aborted":
        raise Gone("The upload was aborted.", code="upload_aborted", upload_id=upload.id)
    if upload.state == "completed":
        raise Conflict("The upload is complete.", code="upload_completed", media_id=upload.media_id)


def expired(upload: Upload) -> Gone:
    return Gone(
        "The upload was not completed in time. Start a new one.",
        code="upload_expired",
        upload_id=upload.id,
    )


def lost(upload: Upload) -> Gone:
    """Storage does not know the multipart upload any more, or never did."""
    return Gone(
        "Storage holds nothing of this upload any more. Start a new one.",
        code="upload_lost",
        upload_id=upload.id,
    )


async def _open_multipart(parts: Parts, upload: Upload) -> None:
    try:
        multipart_id = await to_thread.run_sync(
            parts.storage.create_multipart, upload.object_key, upload.declared_type
        )
    except FansworldError as error:
        await _give_up(parts, upload)
        raise Unavailable(
            "Storage can't take uploads right now. Try again.", code="storage_unavailable"
        ) from error
    async with async_transaction(parts.engine) as session:
        await session.execute(
            update(Upload).where(Upload.id == upload.id).values(multipart_id=multipart_id)
        )
    upload.multipart_id = multipart_id


async def _give_up(parts: Parts, upload: Upload) -> None:
    """Close rows whose upload never began, so that they don't use up quota for a day."""
    async with async_transaction(parts.engine) as session:
        await _close_rows(session, upload, now=parts.now())


async def _close_rows(session: AsyncSession, upload: Upload, *, now: datetime) -> None:
    await session.execute(
        update(Upload).where(Upload.id == upload.id, Upload.state == "open").values(state="aborted")
    )
    await session.execute(
        update(Media)
        .where(Media.id == upload.media_id, Media.state == MediaState.UPLOADING)
        .values(state=MediaState.DELETED, deleted_at=now, erased_at=now, updated_at=now)
    )


async def _mark_erased(parts: Parts, media_id: str) -> None:
    async with async_transaction(parts.engine) as session:
        await session.execute(
            update(Media).where(Media.id == media_id).values(erased_at=parts.now())
        )


def _erase_upload(parts: Parts, object_key: str, multipart_id: str | None) -> None:
    if multipart_id is not None:
        parts.storage.abort_multipart(object_key, multipart_id)
    parts.storage.delete(parts.storage.quarantine, object_key)


def _declared(wish: UploadCreate) -> DeclaredFile:
    asked = wish.teaser
    teaser = Teaser(asked.start_seconds, asked.duration_seconds) if asked is not None else None
    return DeclaredFile(
        file_name=base_name(wish.file_name),
        size_bytes=wish.size_bytes,
        content_type=wish.content_type,
        purpose=wish.purpose,
        kind=wish.kind,
        teaser=teaser,
    )


def base_name(file_name: str) -> str:
    """The last part of whatever path a client sent."""
    return file_name.replace("\\", "/").rstrip("/").rpartition("/")[2] or "file"


def _media_row(uploader: Uploader, wish: UploadCreate, kind: MediaKind) -> Media:
    media_id = new_id()
    visibility: Visibility = wish.visibility or default_visibility(wish.purpose)
    marks = uploader.watermark_enabled if wish.watermark is None else wish.watermark
    can_mark = default_visibility(wish.purpose) is Visibility.PRIVATE
    return Media(
        id=media_id,
        owner_id=uploader.user_id,
        kind=kind,
        purpose=wish.purpose,
        state=MediaState.UPLOADING,
        visibility=visibility,
        title=wish.title,
        alt_text=wish.alt_text,
        file_name=base_name(wish.file_name),
        original_key=f"o/{media_id}",
        original_bytes=wish.size_bytes,
        watermark_text=f"@{uploader.handle}" if marks and can_mark else None,
        teaser_start_ms=round(wish.teaser.start_seconds * 1000) if wish.teaser else None,
        teaser_duration_ms=round(wish.teaser.duration_seconds * 1000) if wish.teaser else None,
    )


def _upload_row(
    media: Media, wish: UploadCreate, plan: PartPlan, *, settings: Settings, now: datetime
) -> Upload:
    declared = wish.content_type.partition(";")[0].strip().lower()
    return Upload(
        id=new_id(),
        media_id=media.id,
        owner_id=media.owner_id,
        state="open",
        declared_bytes=plan.size_bytes,
        declared_type=declared or "application/octet-stream",
        declared_sha256=wish.sha256,
        object_key=media.original_key,
        part_bytes=plan.part_bytes,
        part_count=plan.part_count,
        expires_at=now + timedelta(seconds=settings.upload_expiry_seconds),
    )
