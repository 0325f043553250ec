"""Tiers and codes as they are shown: one statement each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.access import Caller, decide
from domain.accounts import Role
from domain.paging import Keyset
from domain.profiles import profile_subject
from infra.queries.access.gathering import (
    OWNER_COLUMNS,
    OWNER_WIDTH,
    OWNERS,
    STANDING_WIDTH,
    VIEWER,
    standing_from,
    viewer_from,
    viewer_params,
)
from infra.queries.callers import session_ended
from infra.queries.creators.following import creators_only
from infra.queries.creators.profiles import no_such_creator
from infra.queries.own_pages import ME, fetch_own_page, own_page
from infra.queries.people import LIVE_CREATOR
from infra.queries.tiers.promos import no_own_promo
from infra.queries.tiers.writing import no_such_tier
from infra.reads import ReadPool, Row

_BUNDLES = """(SELECT coalesce(jsonb_agg(jsonb_build_array(b.months, b.discount_bps)
        ORDER BY b.months), '[]')
    FROM tier_bundles b WHERE b.tier_id = t.id AND b.archived_at IS NULL)"""
_SUBSCRIBED = """(SELECT count(*) FROM subscriptions s
    WHERE s.tier_id = t.id AND s.state NOT IN ('canceled', 'expired'))"""
_HELD = """(SELECT count(*) FROM subscriptions s
    WHERE t.id IN (s.tier_id, s.next_tier_id, s.upgrade_tier_id)
    AND s.state NOT IN ('canceled', 'expired'))"""
# Who comes to the tier with the next period holds a place as well (`buying.require_room`).
_OFFERED = f"""t.id::text, t.name, t.description, t.benefits, t.rank, t.price_minor, t.currency,
    t.trial_days, {_BUNDLES}"""
_OWN_COLUMNS = f"""{_OFFERED}, t.is_visible, t.subscriber_cap, {_SUBSCRIBED},
    (SELECT p.effective_at FROM tier_prices p WHERE p.tier_id = t.id
     ORDER BY p.announced_at DESC LIMIT 1),
    t.version, t.created_at, t.updated_at, t.archived_at"""
_OWN_LIST = own_page(
    _OWN_COLUMNS,
    f"tiers t WHERE t.creator_id = {ME} AND (t.archived_at IS NOT NULL) = %(archived)s",
    at="t.created_at",
    key="t.id",
)
_OWN = f"""
WITH {VIEWER}
SELECT v.role, {_OWN_COLUMNS} FROM viewer v
LEFT JOIN tiers t ON t.creator_id = v.id AND t.id = %(tier_id)s::uuid
""".encode()
_PUBLIC = f"""
WITH {VIEWER},
asked AS MATERIALIZED (
    SELECT u.id AS owner_id FROM users u JOIN creators c ON c.user_id = u.id
    WHERE u.handle = %(handle)s AND {LIVE_CREATOR}
),
{OWNERS}
SELECT v.role, {OWNER_COLUMNS}, o.owner_id::text, {_OFFERED},
    t.subscriber_cap IS NOT NULL AND {_HELD} >= t.subscriber_cap
FROM (SELECT true) one
LEFT JOIN viewer v ON true
LEFT JOIN owners o ON true
LEFT JOIN tiers t ON t.creator_id = o.owner_id AND t.archived_at IS NULL AND t.is_visible
ORDER BY t.rank
""".encode()
_PROMO_COLUMNS = """p.id::text, p.code, p.kind, p.value, p.duration, p.months, p.tier_id::text,
    p.audience, p.max_redemptions, p.per_fan_max, p.starts_at, p.expires_at, p.redeemed_count,
    p.version, p.created_at, p.updated_at, p.archived_at"""
_PROMO_LIST = own_page(
    _PROMO_COLUMNS,
    f"promo_codes p WHERE p.creator_id = {ME} AND (p.archived_at IS NOT NULL) = %(archived)s",
    at="p.created_at",
    key="p.id",
)
_PROMO = f"""
WITH {VIEWER}
SELECT v.role, {_PROMO_COLUMNS} FROM viewer v
LEFT JOIN promo_codes p ON p.creator_id = v.id AND p.id = %(promo_id)s::uuid
""".encode()


@dataclass(frozen=True, slots=True)
class OfferedTier:
    """A tier as everybody may see it."""

    id: str
    name: str
    description: str
    benefits: list[str]
    rank: int
    price_minor: int
    currency: str
    trial_days: int
    bundles: list[tuple[int, int]]
    """Months and discount in basis points, the shortest first."""


@dataclass(frozen=True, slots=True)
class OwnTier:
    """A tier as its creator sees it."""

    offered: OfferedTier
    is_visible: bool
    subscriber_cap: int | None
    subscriber_count: int
    price_effective_at: datetime
    """From which on its last price counts at renewals."""
    version: int
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None


@dataclass(frozen=True, slots=True)
class Shop:
    """What a creator sells."""

    creator_id: str
    tiers: list[tuple[OfferedTier, bool]]
    """By rank; and whether no place is free."""


@dataclass(frozen=True, slots=True)
class OwnPromo:
    id: str
    code: str
    kind: str
    value: int
    duration: str
    months: int | None
    tier_id: str | None
    audience: str
    max_redemptions: int | None
    per_fan_max: int
    starts_at: datetime | None
    expires_at: datetime | None
    redeemed_count: int
    version: int
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None


_OFFERED_WIDTH = 9


async def shop_of(reads: ReadPool, *, caller: Caller, handle: str, now: datetime) -> Shop:
    """The tiers in the public list of the creator with this handle.

    Raises:
        NotFound: `creator_not_found`; there is none, or the caller may not know of them.
        Unauthenticated: `session_ended`.
    """
    rows = await reads.fetch_all(_PUBLIC, {**viewer_params(caller, now), "handle": handle})
    viewer = viewer_from(caller, rows[0][0])
    owner, creator_id = rows[0][1 : 1 + OWNER_WIDTH], rows[0][1 + OWNER_WIDTH]
    standing = standing_from(owner[:STANDING_WIDTH])
    if standing is None:
        raise no_such_creator()
    if decide(viewer, profile_subject(creator_id), (), now, standing).hidden:
        raise no_such_creator()
    tiers = [row[2 + OWNER_WIDTH :] for row in rows if row[2 + OWNER_WIDTH] is not None]
    return Shop(creator_id, [(_offered_from(tier), bool(tier[-1])) for tier in tiers])


async def own_tiers(
    reads: ReadPool, caller: Caller, *, archived: bool, after: Keyset | None, limit: int
) -> tuple[list[OwnTier], Keyset | None]:
    """A page of the caller's tiers, the newest first, and where it ended.

    Raises:
        AccessDenied: `creators_only`.
        Unauthenticated: `session_ended`.
    """
    page = await fetch_own_page(
        reads, _OWN_LIST, caller=caller, after=after, limit=limit, archived=archived
    )
    _require_creator(page.role)
    return [_own_from(row) for row in page.rows], page.last


async def own_tier(reads: ReadPool, caller: Caller, tier_id: str) -> OwnTier:
    """One of the caller's tiers, archived or not.

    Raises:
        AccessDenied: `creators_only`.
        NotFound: `tier_not_found`.
        Unauthenticated: `session_ended`.
    """
    row = await _own_row(reads, _OWN, caller, tier_id=tier_id)
    if row is None:
        raise no_such_tier()
    return _own_from(row)


async def own_promos(
    reads: ReadPool, caller: Caller, *, archived: bool, after: Keyset | None, limit: int
) -> tuple[list[OwnPromo], Keyset | None]:
    """As `own_tiers`, of promo codes."""
    page = await fetch_own_page(
        reads, _PROMO_LIST, caller=caller, after=after, limit=limit, archived=archived
    )
    _require_creator(page.role)
    return [OwnPromo(*row) for row in page.rows], page.last


async def own_promo(reads: ReadPool, caller: Caller, promo_id: str) -> OwnPromo:
    """As `own_tier`, of a promo code; `promo_not_found`."""
    row = await _own_row(reads, _PROMO, caller, promo_id=promo_id)
    if row is None:
        raise no_own_promo()
    return OwnPromo(*row)


async def _own_row(reads: ReadPool, sql: bytes, caller: Caller, **params: Any) -> Row | None:
    who = {"viewer_id": caller.user_id, "session_id": caller.session_id}
    row = await reads.fetch_one(sql, {**who, **params})
    if row is None:
        raise session_ended()
    _require_creator(Role(row[0]))
    return row[1:] if row[1] is not None else None


def _require_creator(role: Role) -> None:
    if role is not Role.CREATOR:
        raise creators_only()


def _offered_from(columns: Row) -> OfferedTier:
    *plain, bundles = columns[:_OFFERED_WIDTH]
    return OfferedTier(*(*plain, [(months, bps) for months, bps in bundles]))


def _own_from(columns: Row) -> OwnTier:
    return OwnTier(_offered_from(columns), *columns[_OFFERED_WIDTH:])
