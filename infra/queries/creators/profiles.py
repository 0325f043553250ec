"""A creator's public profile, by one statement that also says how the viewer stands to them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.access import Caller, Grant, GrantSource, Reason, decide
from domain.errors import NotFound
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
    wide_grants,
)
from infra.queries.people import LIVE_CREATOR, PERSON, PERSON_WIDTH, Person, person_from, shows
from infra.queries.portraits import COVER, Portrait, portrait_from
from infra.reads import ReadPool

_PROFILE = f"""
WITH {VIEWER},
asked AS MATERIALIZED (
    SELECT u.id AS owner_id FROM users u JOIN creators c ON c.user_id = u.id
    WHERE u.handle = %(handle)s AND {LIVE_CREATOR}
),
{OWNERS}
SELECT v.role, {OWNER_COLUMNS}, {PERSON}, u.bio, {COVER}, c.created_at,
    {shows("show_follower_count")}, c.follower_count, {shows("show_post_count")},
    (SELECT count(*) FROM posts p WHERE p.creator_id = u.id AND p.state = 'published')
FROM (SELECT true) one
LEFT JOIN viewer v ON true
LEFT JOIN owners o ON true
LEFT JOIN users u ON u.id = o.owner_id
LEFT JOIN creators c ON c.user_id = o.owner_id
""".encode()


@dataclass(frozen=True, slots=True)
class CreatorProfile:
    """As this viewer may see it; counts are None where the creator does not show them."""

    person: Person
    bio: str
    cover: Portrait | None
    creator_since: datetime
    follower_count: int | None
    post_count: int | None
    follows: bool
    subscribed: bool
    subscribed_until: datetime | None
    """None where the viewer is not subscribed, or where it has no end."""


async def open_profile(
    reads: ReadPool, *, caller: Caller, handle: str, now: datetime
) -> CreatorProfile:
    """The profile of the creator with this handle.

    Raises:
        NotFound: there is none, or the viewer may not know of it.
        Unauthenticated: the account or the session is over.
    """
    params = {**viewer_params(caller, now), "handle": handle}
    row = await reads.fetch_one(_PROFILE, params)
    assert row is not None, "the statement answers one row for any handle"
    viewer = viewer_from(caller, row[0])
    owner, columns = row[1 : 1 + OWNER_WIDTH], row[1 + OWNER_WIDTH :]
    standing = standing_from(owner[:STANDING_WIDTH])
    if standing is None:
        raise no_such_creator()
    decision = decide(viewer, profile_subject(columns[0]), (), now, standing)
    if decision.hidden:
        raise no_such_creator()
    sees_all = decision.reason in (Reason.OWNER, Reason.STAFF)
    live = [grant for grant in wide_grants(owner[STANDING_WIDTH:]) if _is_subscription(grant, now)]
    return _profile_from(columns, sees_all=sees_all, follows=standing.follows, live=live)


def _profile_from(
    columns: tuple[Any, ...], *, sees_all: bool, follows: bool, live: list[Grant]
) -> CreatorProfile:
    bio, cover, since, shows_followers, followers, shows_posts, posts = columns[PERSON_WIDTH:]
    ends = [grant.expires_at for grant in live]
    return CreatorProfile(
        person=person_from(columns[:PERSON_WIDTH]),
        bio=bio,
        cover=portrait_from(cover),
        creator_since=since,
        follower_count=followers if sees_all or shows_followers else None,
        post_count=posts if sees_all or shows_posts else None,
        follows=follows,
        subscribed=bool(live),
        subscribed_until=max((end for end in ends if end is not None), default=None)
        if None not in ends
        else None,
    )


def _is_subscription(grant: Grant, now: datetime) -> bool:
    return grant.source is GrantSource.SUBSCRIPTION and grant.is_live(now)


def no_such_creator() -> NotFound:
    """The same for everybody who may not know of them, whatever the reason."""
    return NotFound("There is no such creator.", code="creator_not_found")
