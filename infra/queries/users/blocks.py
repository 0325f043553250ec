"""Blocks: who wants nothing to do with whom. Inside the caller's transaction.

Whoever changes a follow or a block first locks the creators' rows of the pair that it is
about, in the order of their ids. So the counts of followers are exact, a follow can't slip
through beside a block, and nothing waits in a circle.
"""

from __future__ import annotations

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import Caller
from domain.errors import Invalid, NotFound
from domain.paging import Keyset
from infra.models import Block, Creator, Follow, User
from infra.queries.own_pages import ME, PeoplePage, fetch_own_page, own_page, people_page
from infra.queries.people import PERSON, SHOWN
from infra.reads import ReadPool

BLOCKED_SQL = own_page(
    f"{PERSON}, b.created_at",
    f"blocks b JOIN users u ON u.id = b.blocked_id WHERE b.blocker_id = {ME} AND {SHOWN}",
    at="b.created_at",
    key="b.blocked_id",
)


async def block(session: AsyncSession, *, blocker_id: str, blocked_id: str) -> None:
    """Hide two people from each other and end what each follows of the other's.

    Raises:
        Invalid: `block_self`.
        NotFound: `user_not_found`.
    """
    if blocker_id == blocked_id:
        raise Invalid("Nobody can block themselves.", code="block_self")
    # An account whose address was never verified is nobody yet, and may be removed again.
    there = select(User.id).where(
        User.id == blocked_id,
        User.deleted_at.is_(None),
        User.suspended_at.is_(None),
        User.email.is_(None) | User.email_verified_at.is_not(None),
    )
    if await session.scalar(there) is None:
        raise NotFound("There is no such user.", code="user_not_found", user_id=blocked_id)
    await lock_counts(session, blocker_id, blocked_id)
    await session.execute(
        insert(Block).values(blocker_id=blocker_id, blocked_id=blocked_id).on_conflict_do_nothing()
    )
    pair = (blocker_id, blocked_id)
    ended = await session.scalars(
        delete(Follow)
        .where(Follow.fan_id.in_(pair), Follow.creator_id.in_(pair))
        .returning(Follow.creator_id)
    )
    for creator_id in ended.all():
        await add_to_count(session, creator_id, -1)


async def unblock(session: AsyncSession, *, blocker_id: str, blocked_id: str) -> None:
    """Take a block back, if there is one. What was followed before is not followed again."""
    await session.execute(
        delete(Block).where(Block.blocker_id == blocker_id, Block.blocked_id == blocked_id)
    )


async def list_blocked(
    reads: ReadPool, *, caller: Caller, after: Keyset | None, limit: int
) -> PeoplePage:
    """Whom the caller blocks, the newest first."""
    page = await fetch_own_page(reads, BLOCKED_SQL, caller=caller, after=after, limit=limit)
    return people_page(page)


async def lock_counts(session: AsyncSession, *user_ids: str) -> None:
    """Lock the creators' rows among these users; see the top of this module."""
    await session.execute(
        select(Creator.user_id)
        .where(Creator.user_id.in_(user_ids))
        .order_by(Creator.user_id)
        .with_for_update()
    )


async def add_to_count(session: AsyncSession, creator_id: str, change: int) -> None:
    await session.execute(
        update(Creator)
        .where(Creator.user_id == creator_id)
        .values(follower_count=Creator.follower_count + change)
    )
