"""Lists of posts, each one statement: the feed, one creator's posts, one's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.access import Caller
from domain.errors import NotFound
from domain.paging import Keyset
from domain.posts import PostState
from infra.queries.access.gathering import viewer_params
from infra.queries.access.posts import OpenedPage, OpenedPost, open_page
from infra.queries.access.posts_sql import page_sql
from infra.queries.people import SHOWN, newest_first, since_params
from infra.reads import ReadPool

# Of whoever is followed, the newest post before the cursor; of the creators with the newest of
# these, a page each: the page that is asked for can only be among them. What it costs grows with
# how many are followed, and not with how much they ever wrote. Whether a creator may be seen is
# looked at in that order, and so for no more than a page holds.
FEED_SQL = page_sql(f"""
followed AS (
    SELECT f.creator_id FROM follows f JOIN viewer v ON f.fan_id = v.id
    UNION
    SELECT e.creator_id FROM entitlements e JOIN viewer v ON e.fan_id = v.id
    WHERE e.media_id IS NULL AND e.post_id IS NULL AND e.starts_at <= %(now)s
      AND (e.expires_at IS NULL OR e.expires_at > %(now)s)
      AND (e.revoked_at IS NULL OR e.revoked_at > %(now)s)
),
newest AS MATERIALIZED (
    SELECT w.creator_id, p.published_at, p.id
    FROM followed w
    CROSS JOIN LATERAL (
        SELECT p.published_at, p.id FROM posts p
        WHERE p.creator_id = w.creator_id AND p.state = 'published'
          AND {newest_first("p.published_at", "p.id")}
        ORDER BY p.published_at DESC, p.id DESC LIMIT 1
    ) p
),
sources AS MATERIALIZED (
    SELECT n.creator_id
    FROM viewer v
    CROSS JOIN (SELECT * FROM newest ORDER BY published_at DESC, id DESC OFFSET 0) n
    CROSS JOIN LATERAL (
        SELECT FROM users u LEFT JOIN creators c ON c.user_id = u.id
        WHERE u.id = n.creator_id AND {SHOWN}
          AND (%(country)s::text = ANY (c.blocked_countries)) IS NOT TRUE
          AND NOT EXISTS (
              SELECT FROM blocks b WHERE b.blocker_id = v.id AND b.blocked_id = u.id
          )
          AND NOT EXISTS (
              SELECT FROM blocks b WHERE b.blocker_id = u.id AND b.blocked_id = v.id
          )
        OFFSET 0  -- Keeps it a look-up for each, in the order of what is newest.
    ) shown
    ORDER BY n.published_at DESC, n.id DESC LIMIT %(limit)s
),
chosen AS MATERIALIZED (
    SELECT row_number() OVER (ORDER BY p.published_at DESC, p.id DESC) AS place,
           p.id, NULL::uuid AS owner_id
    FROM sources s
    CROSS JOIN LATERAL (
        SELECT p.published_at, p.id FROM posts p
        WHERE p.creator_id = s.creator_id AND p.state = 'published'
          AND {newest_first("p.published_at", "p.id")}
        ORDER BY p.published_at DESC, p.id DESC LIMIT %(limit)s
    ) p
    ORDER BY p.published_at DESC, p.id DESC LIMIT %(limit)s
)""")

# The decision hides from nobody but those who are not signed in a published post of a creator
# of whom they may know; so what is left out here is what it would hide, and pages are full.
_OF_CREATOR = page_sql(f"""
chosen AS MATERIALIZED (
    SELECT row_number() OVER (ORDER BY p.published_at DESC, p.id DESC) AS place,
           p.id, c.user_id AS owner_id
    FROM creators c
    LEFT JOIN LATERAL (
        SELECT p.published_at, p.id FROM posts p
        WHERE p.creator_id = c.user_id AND p.state = 'published'
          AND (%(viewer_id)s::uuid IS NOT NULL OR p.audience = 'public')
          AND (NOT %(pinned)s::boolean OR p.pinned_at IS NOT NULL)
          AND {newest_first("p.published_at", "p.id")}
        ORDER BY p.published_at DESC, p.id DESC LIMIT %(limit)s
    ) p ON true
    WHERE c.user_id = %(creator_id)s::uuid
)""")

_OWN = page_sql(f"""
chosen AS MATERIALIZED (
    SELECT row_number() OVER (ORDER BY p.created_at DESC, p.id DESC) AS place,
           p.id, NULL::uuid AS owner_id
    FROM viewer v
    CROSS JOIN LATERAL (
        SELECT p.created_at, p.id FROM posts p
        WHERE p.creator_id = v.id AND p.state <> 'deleted'
          AND (%(state)s::text IS NULL OR p.state = %(state)s)
          AND {newest_first("p.created_at", "p.id")}
        ORDER BY p.created_at DESC, p.id DESC LIMIT %(limit)s
    ) p
)""")


@dataclass(frozen=True, slots=True)
class PostPage:
    posts: list[OpenedPost]
    next: Keyset | None
    """Where the next page begins; None on the last one."""


async def feed(
    reads: ReadPool, *, caller: Caller, now: datetime, limit: int, after: Keyset | None
) -> PostPage:
    """Published posts of whom the caller follows or subscribes to, newest first.

    Staff see here what anybody would: their office is for looking at what they are asked to.

    Raises:
        Unauthenticated: the account or the session is over.
    """
    page = await _page(reads, FEED_SQL, caller, now, limit, after, {"country": caller.country})
    return _cut(page, limit, by_publication=True)


async def posts_of_creator(
    reads: ReadPool,
    *,
    caller: Caller,
    creator_id: str,
    pinned: bool,
    now: datetime,
    limit: int,
    after: Keyset | None,
) -> PostPage:
    """One creator's published posts, newest first; only those held above the others if `pinned`.

    Raises:
        NotFound: `creator_not_found`; there is none, or the viewer may not know of them.
        Unauthenticated: the account or the session is over.
    """
    params = {"creator_id": creator_id, "pinned": pinned}
    page = await _page(reads, _OF_CREATOR, caller, now, limit, after, params)
    if page.owner_hidden:
        raise NotFound("There is no such creator.", code="creator_not_found", creator_id=creator_id)
    return _cut(page, limit, by_publication=True)


async def own_posts(
    reads: ReadPool,
    *,
    caller: Caller,
    state: PostState | None,
    now: datetime,
    limit: int,
    after: Keyset | None,
) -> PostPage:
    """The caller's own posts in every state, newest first.

    Raises:
        Unauthenticated: the account or the session is over.
    """
    page = await _page(reads, _OWN, caller, now, limit, after, {"state": state})
    return _cut(page, limit, by_publication=False)


async def _page(
    reads: ReadPool,
    sql: bytes,
    caller: Caller,
    now: datetime,
    limit: int,
    after: Keyset | None,
    params: Mapping[str, Any],
) -> OpenedPage:
    """One more than the page holds, which tells whether more follow."""
    given = {**viewer_params(caller, now), **params, **since_params(after, limit)}
    rows = await reads.fetch_all(sql, given)
    return open_page(rows, caller=caller, now=now, as_person=sql is FEED_SQL)


def _cut(page: OpenedPage, limit: int, *, by_publication: bool) -> PostPage:
    posts = page.posts[:limit]
    if len(page.posts) <= limit:
        return PostPage(posts, None)
    last = posts[-1].post
    moment = last.published_at if by_publication else last.created_at
    assert moment is not None, "a published post has its time"
    return PostPage(posts, Keyset(moment, last.id))
