"""Who follows whom. Locks are explained in `infra.queries.users.blocks`."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import Caller, Standing, Viewer, decide
from domain.accounts import Role
from domain.errors import AccessDenied, Invalid
from domain.paging import Keyset
from domain.profiles import profile_subject
from infra.models import Block, Creator, Follow, User
from infra.queries.creators.profiles import no_such_creator
from infra.queries.own_pages import ME, MY_ROLE, PeoplePage, fetch_own_page, own_page, people_page
from infra.queries.people import (
    LIVE_CREATOR,
    PERSON,
    SHOWN,
    shows,
)
from infra.queries.users.blocks import add_to_count, lock_counts
from infra.reads import ReadPool

FOLLOWING_SQL = own_page(
    f"{PERSON}, f.created_at",
    f"""follows f
    JOIN users u ON u.id = f.creator_id
    JOIN creators c ON c.user_id = u.id
    WHERE f.fan_id = {ME} AND {LIVE_CREATOR}
      AND ({MY_ROLE} IN ('moderator', 'admin')
           OR (%(country)s::text = ANY (c.blocked_countries)) IS NOT TRUE)""",
    at="f.created_at",
    key="f.creator_id",
)
_FOLLOWERS = own_page(
    f"{PERSON}, f.created_at",
    f"""follows f JOIN users u ON u.id = f.fan_id
    WHERE f.creator_id = {ME} AND {SHOWN} AND {shows("show_follows")}""",
    at="f.created_at",
    key="f.fan_id",
)


async def follow(
    session: AsyncSession, *, fan: User, creator_id: str, country: str | None, now: datetime
) -> None:
    """Follow a creator; if `fan` does already, nothing changes.

    Raises:
        Invalid: `follow_self`.
        NotFound: there is no such creator, or the fan may not know of them.
    """
    if fan.id == creator_id:
        raise Invalid("Nobody can follow themselves.", code="follow_self")
    await lock_counts(session, creator_id)
    standing = await _standing(session, fan_id=fan.id, creator_id=creator_id)
    # As a fan, whatever their role: staff may look where blocks and regions keep others away.
    viewer = Viewer(fan.id, Role.FAN, country)
    if standing is None or decide(viewer, profile_subject(creator_id), (), now, standing).hidden:
        raise no_such_creator()
    added = await session.scalar(
        insert(Follow)
        .values(fan_id=fan.id, creator_id=creator_id)
        .on_conflict_do_nothing()
        .returning(Follow.fan_id)
    )
    if added is not None:
        await add_to_count(session, creator_id, 1)


async def unfollow(session: AsyncSession, *, fan_id: str, creator_id: str) -> None:
    """Follow somebody no longer, whoever they are and if at all."""
    await lock_counts(session, creator_id)
    ended = await session.scalar(
        delete(Follow)
        .where(Follow.fan_id == fan_id, Follow.creator_id == creator_id)
        .returning(Follow.fan_id)
    )
    if ended is not None:
        await add_to_count(session, creator_id, -1)


async def list_following(
    reads: ReadPool, *, caller: Caller, after: Keyset | None, limit: int
) -> PeoplePage:
    """Whom the caller follows, the newest first."""
    page = await fetch_own_page(
        reads, FOLLOWING_SQL, caller=caller, after=after, limit=limit, country=caller.country
    )
    return people_page(page)


async def list_followers(
    reads: ReadPool, *, caller: Caller, after: Keyset | None, limit: int
) -> PeoplePage:
    """Who follows the caller, the newest first; without those who don't want to be named.

    Raises:
        AccessDenied: `creators_only`.
    """
    page = await fetch_own_page(reads, _FOLLOWERS, caller=caller, after=after, limit=limit)
    if page.role is not Role.CREATOR:
        raise creators_only()
    return people_page(page)


def creators_only() -> AccessDenied:
    return AccessDenied("Only creators can do that.", code="creators_only")


async def _standing(session: AsyncSession, *, fan_id: str, creator_id: str) -> Standing | None:
    blocked = select(Block.blocker_id).where(
        or_(
            (Block.blocker_id == fan_id) & (Block.blocked_id == creator_id),
            (Block.blocker_id == creator_id) & (Block.blocked_id == fan_id),
        )
    )
    found = await session.execute(
        select(Creator.blocked_countries, blocked.exists())
        .join(User, User.id == Creator.user_id)
        .where(
            User.id == creator_id,
            User.role == Role.CREATOR,
            User.deleted_at.is_(None),
            User.suspended_at.is_(None),
        )
    )
    row = found.one_or_none()
    return None if row is None else Standing(row[1], blocked_countries=tuple(row[0]))
