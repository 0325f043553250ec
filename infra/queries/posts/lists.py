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
    WHERE e.media_id IS NULL AND e.post_id IS NULL AND e.message_id IS NULL
      AND e.starts_at <= %(now)s
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


def _of_creator(condition: str) -> bytes:
    return page_sql(f"""
chosen AS MATERIALIZED (
    SELECT row_number() OVER (ORDER BY p.published_at DESC, p.id DESC) AS place,
           p.id, c.user_id AS owner_id
    FROM creators c
    LEFT JOIN LATERAL (
        SELECT p.published_at, p.id FROM posts p
        WHERE p.creator_id = c.user_id AND p.state = 'published' AND {condition}
          AND {newest_first("p.published_at", "p.id")}
        ORDER BY p.published_at DESC, p.id DESC LIMIT %(limit)s
    ) p ON true
    WHERE c.user_id = %(creator_id)s::uuid
)""")


def _own(condition: str) -> bytes:
    return page_sql(f"""
chosen AS MATERIALIZED (
    SELECT row_number() OVER (ORDER BY p.created_at DESC, p.id DESC) AS place,
           p.id, NULL::uuid AS owner_id
    FROM viewer v
    CROSS JOIN LATERAL (
        SELECT p.created_at, p.id FROM posts p
        WHERE p.creator_id = v.id AND p.state <> 'deleted' AND {condition}
          AND {newest_first("p.created_at", "p.id")}
        ORDER BY p.created_at DESC, p.id DESC LIMIT %(limit)s
    ) p
)""")


# What a list leaves out stands in its statement as it is, so that an index of the rest alone
# can answer it: a creator may have a hundred thousand posts, and three of them pinned.
#
# The decision hides from nobody but those who are not signed in a published post of a creator
# of whom they may know; so what is left out here is what it would hide, and pages are full.
_PUBLIC, _PINNED = "p.audience = 'public'", "p.pinned_at IS NOT NULL"
OF_CREATOR_SQL = {
    (True, False): _of_creator("true"),
    (True, True): _of_creator(_PINNED),
    (False, False): _of_creator(_PUBLIC),
    (False, True): _of_creator(f"{_PUBLIC} AND {_PINNED}"),
}
"""By whether somebody is signed in, and whether only pinned posts are asked for."""
OWN_SQL: dict[PostState | None, bytes] = {
    None: _own("true"),
    **{state: _own(f"p.state = '{state}'") for state in PostState},
}
"""By the state that is asked for; None for every state."""


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
    sql = OF_CREATOR_SQL[caller.user_id is not None, pinned]
    page = await _page(reads, sql, caller, now, limit, after, {"creator_id": creator_id})
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
    page = await _page(reads, OWN_SQL[state], caller, now, limit, after, {})
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
