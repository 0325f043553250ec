"""Edits of one's own profile. Every function runs inside the caller's transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from domain.accounts import check_handle
from domain.errors import Conflict, Invalid
from domain.media.states import MediaState, Purpose, Visibility
from domain.profiles import check_handle_change
from infra.models import FormerHandle, Media, User


async def check_picture(
    session: AsyncSession, *, owner_id: str, media_id: str, purpose: Purpose
) -> None:
    """May this media be the owner's avatar or cover?

    Raises:
        Invalid: `picture_not_found`, `picture_not_public`, or `picture_of_other_purpose`.
        Conflict: `picture_not_ready`.
    """
    # Held until the commit, so that it can't be deleted between this look and the edit.
    media = await session.get(Media, media_id, with_for_update={"read": True})
    if media is None or media.owner_id != owner_id or media.state == MediaState.DELETED:
        raise Invalid("You have no such media.", code="picture_not_found", media_id=media_id)
    if media.purpose != purpose:
        raise Invalid(
            f"It was uploaded as {media.purpose}; upload it as {purpose}.",
            code="picture_of_other_purpose",
            purpose=media.purpose,
            wanted=purpose.value,
        )
    if media.visibility != Visibility.PUBLIC:
        raise Invalid("Pictures of a profile are public.", code="picture_not_public")
    if media.state != MediaState.READY:
        raise Conflict("The picture is not ready.", code="picture_not_ready", state=media.state)


async def change_handle(session: AsyncSession, user: User, handle: str, *, now: datetime) -> bool:
    """Give the user, whose row is locked, another handle; returns whether it is another.

    The old one stays theirs: they may come back to it, nobody else can take it.

    Raises:
        Invalid: `handle_invalid` or `handle_reserved`.
        Conflict: `handle_taken`, or `handle_changed_recently` with `again_at`.
    """
    check_handle(handle)
    if user.handle == handle:
        return False
    changed_at = await session.scalar(
        select(func.max(FormerHandle.given_up_at)).where(FormerHandle.user_id == user.id)
    )
    check_handle_change(changed_at=changed_at, now=now)
    await session.execute(
        delete(FormerHandle).where(FormerHandle.handle == handle, FormerHandle.user_id == user.id)
    )
    session.add(FormerHandle(handle=user.handle, user_id=user.id, given_up_at=now))
    user.handle = handle
    try:
        await session.flush()
    except IntegrityError as error:
        # Only the database can tell: another change may commit while this one is under way.
        raise handle_taken(handle) from error
    return True


def handle_taken(handle: str) -> Conflict:
    return Conflict(f"The handle {handle} is taken.", code="handle_taken", handle=handle)
