"""The log of what fans opened of what they had paid for. It answers disputes, and nothing else."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from infra.models import AccessEntry
from infra.models.refunds import AccessedItem


def hour_of(at: datetime) -> datetime:
    """When the hour of a moment began, UTC."""
    return at.replace(minute=0, second=0, microsecond=0)


async def note_access(
    session: AsyncSession,
    *,
    fan_id: str,
    creator_id: str,
    item: AccessedItem,
    item_id: str,
    address: str | None,
    agent: str,
    at: datetime,
) -> None:
    """Write an access down, unless the same fan opened the same thing in the same hour (UTC)."""
    row = insert(AccessEntry).values(
        fan_id=fan_id,
        item_type=item.value,
        item_id=item_id,
        hour=hour_of(at),
        creator_id=creator_id,
        at=at,
        address=address,
        agent=agent,
    )
    await session.execute(row.on_conflict_do_nothing())
