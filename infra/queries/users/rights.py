"""Which rights somebody holds now. What a right opens is for `infra.queries.access` to say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain.access import Caller, GrantSource
from domain.paging import Keyset
from infra.queries.own_pages import ME, fetch_own_page, own_page
from infra.queries.people import PERSON, PERSON_WIDTH, SHOWN, Person, person_from
from infra.reads import ReadPool, Row


def opens_something(fan: str) -> str:
    """The condition that a right `e` of `fan`, on what the user `u` publishes, is of use now."""
    return f"""e.fan_id = {fan} AND {SHOWN} AND e.starts_at <= %(now)s
      AND (e.expires_at IS NULL OR e.expires_at > %(now)s)
      AND (e.revoked_at IS NULL OR e.revoked_at > %(now)s)
      AND NOT EXISTS (SELECT FROM blocks b
          WHERE b.blocker_id = e.creator_id AND b.blocked_id = e.fan_id)
      AND NOT EXISTS (SELECT FROM blocks b
          WHERE b.blocker_id = e.fan_id AND b.blocked_id = e.creator_id)"""


_RIGHTS = own_page(
    f"""{PERSON}, e.id::text, e.source, e.media_id::text, e.post_id::text, e.tier_id::text,
    t.name, e.starts_at, e.expires_at""",
    f"""entitlements e
    JOIN users u ON u.id = e.creator_id
    LEFT JOIN tiers t ON t.id = e.tier_id
    WHERE {opens_something(ME)}""",
    at="e.created_at",
    key="e.id",
)


@dataclass(frozen=True, slots=True)
class LiveRight:
    creator: Person
    id: str
    source: GrantSource
    media_id: str | None
    post_id: str | None
    tier_id: str | None
    tier_name: str | None
    starts_at: datetime
    expires_at: datetime | None


async def list_rights(
    reads: ReadPool, *, caller: Caller, now: datetime, after: Keyset | None, limit: int
) -> tuple[list[LiveRight], Keyset | None]:
    """The caller's live rights, the newest first, and where the page ended if more follow.

    Rights on what a closed account published, or on either side of a block, open nothing and
    are left out.
    """
    page = await fetch_own_page(reads, _RIGHTS, caller=caller, after=after, limit=limit, now=now)
    return [_right_from(row) for row in page.rows], page.last


def _right_from(row: Row) -> LiveRight:
    right_id, source, *rest = row[PERSON_WIDTH:]
    return LiveRight(person_from(row[:PERSON_WIDTH]), right_id, GrantSource(source), *rest)
