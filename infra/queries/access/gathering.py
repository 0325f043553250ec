"""What every decision needs, gathered in SQL: who asks, how they stand to each owner, which
rights they hold. Fragments for the statements in this folder, and what reads their rows.

The viewer is read with the subjects and is not taken from the token, so that a role that was
taken away, an account that was closed or suspended and a session that was ended count from the
next request on, and cost no round trip of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from domain.access import Caller, Grant, GrantSource, Rule, Standing, Viewer
from domain.accounts import Role
from domain.errors import Unauthenticated
from domain.posts import Audience
from infra.reads import Row

VIEWER = """
viewer AS MATERIALIZED (
    SELECT u.id, CASE
        WHEN u.role IN ('moderator', 'admin') AND s.id IS NOT NULL AND s.second_factor_at IS NULL
        THEN 'fan' ELSE u.role END AS role
    FROM users u
    LEFT JOIN auth_sessions s
        ON s.id = %(session_id)s::uuid AND s.user_id = u.id AND s.revoked_at IS NULL
    WHERE u.id = %(viewer_id)s::uuid AND u.deleted_at IS NULL AND u.suspended_at IS NULL
      AND (%(session_id)s::uuid IS NULL OR s.id IS NOT NULL)
)"""
"""Staff who signed in by a password alone see what a fan sees: what opens everything to them is
their second factor."""

OWNERS = """
owners AS MATERIALIZED (
    SELECT o.owner_id, c.blocked_countries, c.subscriber_discount_bps,
           EXISTS (SELECT FROM blocks b WHERE b.blocker_id = o.owner_id AND b.blocked_id = v.id)
           OR EXISTS (SELECT FROM blocks b WHERE b.blocker_id = v.id AND b.blocked_id = o.owner_id)
               AS blocked,
           EXISTS (SELECT FROM follows f WHERE f.fan_id = v.id AND f.creator_id = o.owner_id)
               AS follows,
           w.sources, w.starts, w.ends, w.revocations, w.ranks
    FROM (SELECT DISTINCT owner_id FROM asked) o
    JOIN users u ON u.id = o.owner_id AND u.deleted_at IS NULL AND u.suspended_at IS NULL
    LEFT JOIN creators c ON c.user_id = o.owner_id
    LEFT JOIN viewer v ON true
    LEFT JOIN LATERAL (
        SELECT array_agg(e.source) AS sources, array_agg(e.starts_at) AS starts,
               array_agg(e.expires_at) AS ends, array_agg(e.revoked_at) AS revocations,
               array_agg(t.rank) AS ranks
        FROM entitlements e LEFT JOIN tiers t ON t.id = e.tier_id
        WHERE e.fan_id = v.id AND e.creator_id = o.owner_id
          AND e.media_id IS NULL AND e.post_id IS NULL AND e.message_id IS NULL
          AND (e.expires_at IS NULL OR e.expires_at > %(now)s)
          AND (e.revoked_at IS NULL OR e.revoked_at > %(now)s)
    ) w ON true
)"""
"""One row for each distinct owner in the CTE `asked`, with the viewer's rights on all of theirs.
Rights that are over are left out already here: a subscriber of years has dozens. What is live
is still for `decide` to say. An owner whose account is closed or suspended has no row, and
what they own is hidden."""

OWNER_COLUMNS = """o.owner_id IS NOT NULL, o.blocked, o.follows, o.blocked_countries,
    o.subscriber_discount_bps, o.sources, o.starts, o.ends, o.revocations, o.ranks"""
OWNER_WIDTH = 10
STANDING_WIDTH = 5

ITEM_COLUMNS = "i.sources, i.starts, i.ends, i.revocations, i.media_ids, i.post_ids, i.message_ids"
ITEM_WIDTH = 7


ON_MEDIA = "e.media_id = {media_id}"
ON_POST = "e.media_id IS NULL AND e.post_id = {post_id}"
ON_POSTS = "e.media_id IS NULL AND e.post_id = ANY ({post_ids})"
ON_MESSAGE = "e.media_id IS NULL AND e.post_id IS NULL AND e.message_id = {message_id}"
ON_MESSAGES = "e.media_id IS NULL AND e.post_id IS NULL AND e.message_id = ANY ({message_ids})"
"""Conditions for `item_rights`, each an equality on the whole of the index: a fan may have
bought a thousand things of one creator, and only one of them is asked for."""


def item_rights(*conditions: str) -> str:
    """The viewer's rights on one subject `a` itself, which any of the conditions on `e` finds."""
    found = " UNION ALL ".join(
        f"""
        SELECT e.source, e.starts_at, e.expires_at, e.revoked_at, e.media_id, e.post_id,
               e.message_id
        FROM entitlements e
        WHERE e.fan_id = v.id AND e.creator_id = a.owner_id AND {condition}
          AND (e.expires_at IS NULL OR e.expires_at > %(now)s)
          AND (e.revoked_at IS NULL OR e.revoked_at > %(now)s)"""
        for condition in conditions
    )
    return f"""
LEFT JOIN LATERAL (
    SELECT array_agg(e.source) AS sources, array_agg(e.starts_at) AS starts,
           array_agg(e.expires_at) AS ends, array_agg(e.revoked_at) AS revocations,
           array_agg(e.media_id::text) AS media_ids, array_agg(e.post_id::text) AS post_ids,
           array_agg(e.message_id::text) AS message_ids
    FROM ({found}) e
) i ON true"""


def viewer_params(caller: Caller, now: datetime) -> dict[str, Any]:
    """The parameters that `VIEWER` and the rights need."""
    return {"viewer_id": caller.user_id, "session_id": caller.session_id, "now": now}


def viewer_from(caller: Caller, role: str | None) -> Viewer:
    """Who asks, by what the statement found of them.

    Raises:
        Unauthenticated: the account is closed or suspended, or the session was ended.
    """
    if caller.user_id is None:
        return Viewer(None, country=caller.country)
    if role is None:
        raise Unauthenticated(
            "This sign-in does not count any more. Sign in again.", code="session_ended"
        )
    return Viewer(caller.user_id, Role(role), caller.country)


def standing_from(columns: Sequence[Any]) -> Standing | None:
    """From the first five of `OWNER_COLUMNS`; None: the owner is not there for anybody."""
    found, blocked, follows, countries, discount_bps = columns
    if not found:
        return None
    if not (blocked or follows or countries or discount_bps):
        return NO_STANDING
    return Standing(bool(blocked), bool(follows), tuple(countries or ()), discount_bps or 0)


NO_STANDING = Standing()


def wide_grants(columns: Row | Sequence[Any]) -> list[Grant]:
    """Rights on all of an owner's, from the last five of `OWNER_COLUMNS`."""
    sources, starts, ends, revocations, ranks = columns
    if not sources:
        return []
    return [
        Grant(GrantSource(source), start, end, revoked, tier_rank=rank)
        for source, start, end, revoked, rank in zip(
            sources, starts, ends, revocations, ranks, strict=True
        )
    ]


def owner_from(columns: Row | Sequence[Any]) -> tuple[Standing | None, list[Grant]]:
    """How the viewer stands to an owner, and their rights on all of theirs."""
    return standing_from(columns[:STANDING_WIDTH]), wide_grants(columns[STANDING_WIDTH:])


def item_grants(columns: Row | Sequence[Any]) -> list[Grant]:
    """Rights on one subject, from `ITEM_COLUMNS`."""
    sources, *rest = columns
    if not sources:
        return []
    return [
        Grant(GrantSource(source), start, end, revoked, media_id, post_id, message_id=message_id)
        for source, start, end, revoked, media_id, post_id, message_id in zip(
            sources, *rest, strict=True
        )
    ]


def rule_from(
    post_id: str | None,
    audience: str,
    tier_id: str | None,
    tier_rank: int | None,
    price_minor: int | None,
    currency: str | None,
    message_id: str | None = None,
    receiver_id: str | None = None,
) -> Rule:
    """A rule of a post or a message from its columns."""
    return Rule(
        Audience(audience),
        post_id,
        tier_id,
        tier_rank,
        price_minor,
        currency,
        message_id,
        receiver_id,
    )
