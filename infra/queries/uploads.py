"""Rows of uploads, and of the media that they become.

Every function runs inside the caller's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import Caller
from domain.accounts import Role
from domain.errors import NotFound
from domain.media.states import MediaState
from infra.models import Creator, Media, Upload, User
from infra.queries.callers import load_caller, session_ended


@dataclass(frozen=True, slots=True)
class Uploader:
    user_id: str
    handle: str
    role: Role
    watermark_enabled: bool


@dataclass(frozen=True, slots=True)
class Holdings:
    """What an account holds already."""

    open_uploads: int
    stored_bytes: int
    """Of originals, those still on their way included."""


async def lock_uploader(session: AsyncSession, caller: Caller) -> Uploader:
    """The account, locked, so that two uploads begun at once can't both take its last quota.

    Raises:
        Unauthenticated: `session_ended`.
    """
    user = await load_caller(session, caller)
    row = (
        await session.execute(
            select(User.handle, User.role, Creator.watermark_enabled)
            .outerjoin(Creator, Creator.user_id == User.id)
            .where(User.id == user.id, User.deleted_at.is_(None))
            .with_for_update(of=User, key_share=True)
        )
    ).one_or_none()
    if row is None:
        raise session_ended()
    handle, role, watermark_enabled = row
    return Uploader(user.id, handle, Role(role), watermark_enabled is not False)


async def holdings_of(session: AsyncSession, owner_id: str, *, now: datetime) -> Holdings:
    open_uploads = await session.scalar(
        select(func.count())
        .select_from(Upload)
        .where(Upload.owner_id == owner_id, Upload.state == "open", Upload.expires_at > now)
    )
    stored_bytes = await session.scalar(
        select(func.coalesce(func.sum(Media.original_bytes), 0)).where(
            Media.owner_id == owner_id,
            Media.original_deleted_at.is_(None),
            Media.state.not_in([MediaState.DELETED, MediaState.EXPIRED]),
        )
    )
    return Holdings(int(open_uploads or 0), int(stored_bytes or 0))


async def load_upload(
    session: AsyncSession, *, upload_id: str, caller: Caller, lock: bool = False
) -> tuple[Upload, Media]:
    """An upload of the caller with its media; both rows are locked where asked.

    Raises:
        Unauthenticated: `session_ended`.
        NotFound: there is none, or it is somebody else's.
    """
    owner = await load_caller(session, caller)
    query = (
        select(Upload, Media)
        .join(Media, Media.id == Upload.media_id)
        .where(Upload.id == upload_id, Upload.owner_id == owner.id)
    )
    row = (await session.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise NotFound("There is no such upload.", code="upload_not_found", upload_id=upload_id)
    upload, media = row
    return upload, media
