"""The log of what fans opened of what they had paid for. It answers disputes, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from infra.models import AccessEntry
from infra.models.refunds import AccessedItem


def hour_of(at: datetime) -> datetime:
    """When the hour of a moment began, UTC."""
    return at.replace(minute=0, second=0, microsecond=0)


async def note_accesses(
    session: AsyncSession,
    *,
    fan_id: str,
    creator_id: str,
    item: AccessedItem,
    item_ids: Sequence[str],
    address: str | None,
    agent: str,
    at: datetime,
) -> None:
    """Write accesses down, but those of what the same fan opened in the same hour (UTC)."""
    rows = [
        {
            "fan_id": fan_id,
            "item_type": item.value,
            "item_id": each,
            "hour": hour_of(at),
            "creator_id": creator_id,
            "at": at,
            "address": address,
            "agent": agent,
        }
        for each in sorted(item_ids)
    ]
    await session.execute(insert(AccessEntry).values(rows).on_conflict_do_nothing())
