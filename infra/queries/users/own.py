"""Somebody's own account, as they see it themselves: one statement each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.access import Caller
from domain.accounts import ApplicationState, Role
from domain.applications import LastApplication
from infra.queries.access.gathering import VIEWER
from infra.queries.callers import session_ended
from infra.queries.people import SHOWN
from infra.queries.portraits import AVATAR, COVER, Portrait, portrait_from
from infra.queries.users.rights import opens_something
from infra.reads import ReadPool

_OWN = f"""u.id::text, u.handle, u.role, u.email::text, u.email_verified_at, u.display_name,
    u.bio, {AVATAR}, {COVER}, u.avatar_media_id::text, u.cover_media_id::text, u.settings,
    u.version, u.created_at, u.updated_at,
    (SELECT max(h.given_up_at) FROM former_handles h WHERE h.user_id = u.id),
    (SELECT count(*) FROM follows f JOIN users c ON c.id = f.creator_id
        WHERE f.fan_id = u.id AND c.deleted_at IS NULL AND c.suspended_at IS NULL),
    (SELECT count(*) FROM blocks b JOIN users o ON o.id = b.blocked_id
        WHERE b.blocker_id = u.id AND o.deleted_at IS NULL AND o.suspended_at IS NULL),
    (SELECT count(*) FROM entitlements e JOIN users u ON u.id = e.creator_id
        WHERE {opens_something("v.id")})"""
_OWN_WIDTH = 19
_PROFILE = f"""
WITH {VIEWER}
SELECT {_OWN} FROM viewer v JOIN users u ON u.id = v.id
""".encode()
_BOOTSTRAP = f"""
WITH {VIEWER}
SELECT {_OWN}, c.user_id IS NOT NULL, c.follower_count, c.watermark_enabled,
    c.blocked_countries,
    (SELECT count(*) FROM posts p WHERE p.creator_id = u.id AND p.state = 'published'),
    a.state, a.decided_at
FROM viewer v
JOIN users u ON u.id = v.id AND {SHOWN}
LEFT JOIN creators c ON c.user_id = u.id AND u.role = 'creator'
LEFT JOIN LATERAL (
    SELECT ca.state, ca.decided_at FROM creator_applications ca
    WHERE ca.user_id = u.id ORDER BY ca.created_at DESC LIMIT 1
) a ON true
""".encode()


@dataclass(frozen=True, slots=True)
class OwnProfile:
    id: str
    handle: str
    role: Role
    email: str | None
    email_verified_at: datetime | None
    display_name: str
    bio: str
    avatar: Portrait | None
    cover: Portrait | None
    avatar_media_id: str | None
    cover_media_id: str | None
    settings: dict[str, Any]
    version: int
    created_at: datetime
    updated_at: datetime
    handle_changed_at: datetime | None
    following_count: int
    blocked_count: int
    entitlement_count: int


@dataclass(frozen=True, slots=True)
class OwnCreator:
    follower_count: int
    watermark_enabled: bool
    blocked_countries: tuple[str, ...]
    post_count: int


@dataclass(frozen=True, slots=True)
class Bootstrap:
    profile: OwnProfile
    creator: OwnCreator | None
    application: LastApplication | None


async def own_profile(reads: ReadPool, *, caller: Caller, now: datetime) -> OwnProfile:
    """Who the caller is.

    Raises:
        Unauthenticated: `session_ended`.
    """
    return _profile_from(await _own_row(_PROFILE, reads, caller, now))


async def own_bootstrap(reads: ReadPool, *, caller: Caller, now: datetime) -> Bootstrap:
    """As `own_profile`, with how they stand as a creator, or on the way to be one."""
    row = await _own_row(_BOOTSTRAP, reads, caller, now)
    publishes, followers, watermark, countries, posts, state, decided_at = row[_OWN_WIDTH:]
    return Bootstrap(
        profile=_profile_from(row[:_OWN_WIDTH]),
        creator=OwnCreator(followers, watermark, tuple(countries), posts) if publishes else None,
        application=state and LastApplication(ApplicationState(state), decided_at),
    )


async def _own_row(sql: bytes, reads: ReadPool, caller: Caller, now: datetime) -> tuple[Any, ...]:
    params = {"viewer_id": caller.user_id, "session_id": caller.session_id, "now": now}
    row = await reads.fetch_one(sql, params)
    if row is None:
        raise session_ended()
    return row


def _profile_from(row: tuple[Any, ...]) -> OwnProfile:
    user_id, handle, role, email, verified_at, display_name, bio, avatar, cover, *rest = row
    return OwnProfile(
        user_id,
        handle,
        Role(role),
        email,
        verified_at,
        display_name,
        bio,
        portrait_from(avatar),
        portrait_from(cover),
        *rest,
    )
