"""The statements that read posts: who asks, which posts, what decides, and what is shown.

A list brings the CTE `chosen (place, id, owner_id)`, which says which posts and in which order
(`owner_id` where the list is of one owner and may be empty). All else is gathered here, so that
a page of posts with their decisions, authors and previews of media is one statement.
"""

from __future__ import annotations

from infra.queries.access.gathering import (
    ITEM_COLUMNS,
    ITEM_WIDTH,
    ON_POST,
    OWNER_COLUMNS,
    OWNER_WIDTH,
    OWNERS,
    VIEWER,
    item_rights,
)
from infra.queries.people import PERSON

_CONTENT = (
    "p.body, p.comments_enabled, p.media_count, p.like_count, p.comment_count, p.version, "
    "p.created_at, p.updated_at, p.publish_at, p.published_at, p.edited_at, p.pinned_at, "
    "p.taken_down_at, p.taken_down_reason"
)


def _asked(content: str = "") -> str:
    return f"""
asked AS MATERIALIZED (
    SELECT c.place, p.id, COALESCE(p.creator_id, c.owner_id) AS owner_id, p.state, p.audience,
           p.tier_id, p.price_minor, p.currency,
           row_number() OVER (
               PARTITION BY COALESCE(p.creator_id, c.owner_id) ORDER BY c.place
           ) = 1 AS is_first{content}
    FROM chosen c LEFT JOIN posts p ON p.id = c.id
)"""


_DECIDED_BY = (
    "v.role, a.id::text, a.owner_id::text, a.state, a.audience, a.tier_id::text, t.rank, "
    f"a.price_minor, a.currency, {OWNER_COLUMNS}, {ITEM_COLUMNS}"
)
DECIDED_WIDTH = 9 + OWNER_WIDTH + ITEM_WIDTH
# At least one row, also where nothing was chosen: it says whether the viewer is still there.
# What is known of an owner stands in the first row of theirs only: a page is often of one.
_GATHERED = f"""
FROM (SELECT) one
LEFT JOIN viewer v ON true
LEFT JOIN asked a ON true
LEFT JOIN owners o ON o.owner_id = a.owner_id AND a.is_first
LEFT JOIN tiers t ON t.id = a.tier_id
{item_rights(ON_POST.format(post_id="a.id"))}
"""
GIVEN_POST = "chosen AS (SELECT 1 AS place, %(post_id)s::uuid AS id, NULL::uuid AS owner_id)"
_LISTED = "r.kind IN ('thumbnail', 'poster', 'blur', 'poster_blur')"
"""What stands for a media in a list: one for whom it is open to, and one for the others."""


def judging_sql(chosen: str, *, columns: str = "", joins: str = "", order: str = "") -> bytes:
    """A statement that decides on posts, and reads `columns` of `joins` beside the decision."""
    return f"""
WITH {VIEWER}, {chosen}, {_asked()}, {OWNERS}
SELECT {_DECIDED_BY}{columns and f", {columns}"}
{_GATHERED}
{joins}
ORDER BY a.place{order}
""".encode()


def carried(table: str, item: str, *, only: str) -> str:
    """What `a` carries, as `carried_media` reads it.

    Args:
        table, item: where that stands, and its column with the id of `a`.
        only: which renditions `r` to read.
    """
    return f"""(
           SELECT json_agg(json_build_array(
               m.id, m.kind, m.state, m.width, m.height, m.duration_ms, m.thumbhash, m.title,
               m.alt_text, (
                   SELECT json_agg(json_build_array(
                       r.kind, r.name, r.content_type, r.bucket, r.object_key, r.bytes,
                       r.width, r.height, r.duration_ms, r.encrypted
                   ) ORDER BY r.kind, r.name)
                   FROM renditions r
                   WHERE r.media_id = m.id AND r.generation = m.published_generation AND {only}
               )
           ) ORDER BY c.position)
           FROM {table} c
           JOIN media m ON m.id = c.media_id AND m.state NOT IN ('deleted', 'expired')
           WHERE c.{item} = a.id AND a.media_count > 0
       )"""


def page_sql(chosen: str, *, only: str = _LISTED) -> bytes:
    """The statement that opens what the CTEs of `chosen` name.

    Args:
        only: which renditions `r` to read.
    """
    return f"""
WITH {VIEWER}, {chosen}, {_asked(f", {_CONTENT}")}, {OWNERS}
SELECT {_DECIDED_BY}, a.body, a.comments_enabled, a.like_count, a.comment_count, a.version,
       a.created_at, a.updated_at, a.publish_at, a.published_at, a.edited_at, a.pinned_at,
       a.taken_down_at, a.taken_down_reason,
       {PERSON},
       EXISTS (SELECT FROM post_likes l WHERE l.post_id = a.id AND l.user_id = v.id),
       {carried("post_media", "post_id", only=only)}
{_GATHERED}
LEFT JOIN users u ON u.id = a.owner_id AND a.is_first
ORDER BY a.place
""".encode()


JUDGE_POST_SQL = judging_sql(GIVEN_POST)
DECIDE_POSTS_SQL = judging_sql(
    "chosen AS (SELECT given.place, given.id, NULL::uuid AS owner_id "
    "FROM unnest(%(post_ids)s::uuid[]) WITH ORDINALITY AS given (id, place))"
)
OPEN_POST_SQL = page_sql(GIVEN_POST, only="true")
