"""What a creator sets for all that they publish."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import Caller
from domain.accounts import Role
from infra.models import Creator, User
from infra.queries.access.gathering import VIEWER
from infra.queries.callers import session_ended
from infra.queries.creators.following import creators_only
from infra.reads import ReadPool

_SETTINGS = f"""
WITH {VIEWER}
SELECT c.watermark_enabled, c.blocked_countries, c.currency, c.subscriber_discount_bps,
    c.tip_minimum_minor, u.version
FROM viewer v
JOIN users u ON u.id = v.id
LEFT JOIN creators c ON c.user_id = v.id AND v.role = 'creator'
""".encode()


@dataclass(frozen=True, slots=True)
class StoredCreatorSettings:
    watermark_enabled: bool
    blocked_countries: list[str]
    currency: str
    subscriber_discount_bps: int
    tip_minimum_minor: int | None
    version: int
    """Of the account; profile and settings share it."""


async def creator_settings(reads: ReadPool, caller: Caller) -> StoredCreatorSettings:
    """What the caller set as a creator.

    Raises:
        AccessDenied: `creators_only`.
        Unauthenticated: `session_ended`.
    """
    row = await reads.fetch_one(
        _SETTINGS, {"viewer_id": caller.user_id, "session_id": caller.session_id}
    )
    if row is None:
        raise session_ended()
    if row[0] is None:
        raise creators_only()
    return StoredCreatorSettings(*row)


async def creator_row(session: AsyncSession, user: User) -> Creator:
    """The row of a user who publishes.

    Raises:
        AccessDenied: `creators_only`.
    """
    creator = await session.get(Creator, user.id) if user.role == Role.CREATOR else None
    if creator is None:
        raise creators_only()
    return creator
