"""Media behind the door: decided for up to a hundred at once, opened one at a time.

What serves content (pictures, playlists, keys) takes an `OpenedMedia`, which only this module
makes and only after a decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from domain.access import (
    HIDDEN,
    Caller,
    Carrier,
    Decision,
    Grant,
    Reason,
    Standing,
    Viewer,
    decide,
    media_subject,
)
from domain.errors import NotFound, PaymentRequired
from domain.media.states import MediaState, RenditionKind, Visibility
from domain.posts import PostState
from infra.queries.access.gathering import (
    ITEM_COLUMNS,
    ITEM_WIDTH,
    NO_STANDING,
    ON_MEDIA,
    ON_MESSAGES,
    ON_POSTS,
    OWNER_COLUMNS,
    OWNER_WIDTH,
    OWNERS,
    VIEWER,
    item_grants,
    item_rights,
    owner_from,
    rule_from,
    viewer_from,
    viewer_params,
)
from infra.queries.access.stored import MEDIA_COLUMNS, MediaRecord, StoredRendition
from infra.reads import ReadPool, Row


@dataclass(frozen=True, slots=True)
class OpenedMedia:
    """A media that the viewer may know of, with what was decided about the rest.

    `renditions` holds only what the decision lets them fetch: everything, or, where it is
    locked, the public previews.
    """

    viewer: Viewer
    media: MediaRecord
    decision: Decision
    renditions: tuple[StoredRendition, ...] = ()
    key_id: str | None = None
    key_wrapped: bytes | None = field(default=None, repr=False)

    @property
    def is_managed(self) -> bool:
        """The viewer owns it, or is staff."""
        return self.decision.reason in (Reason.OWNER, Reason.STAFF)

    def require_allowed(self) -> None:
        """Refuse a viewer for whom it is locked.

        Raises:
            PaymentRequired: with the offers that would open it.
        """
        if not self.decision.allowed:
            raise PaymentRequired(
                "This media is locked. One of the offers opens it.", offers=self.decision.offers
            )


_CARRIER_STATE = "CASE WHEN p.taken_down_at IS NULL THEN p.state ELSE 'taken_down' END"
"""What was taken down does not come back by its author deleting the post."""
_CARRIERS = f"""
LEFT JOIN LATERAL (
    SELECT array_agg(k.state) AS states, array_agg(k.post_id::text) AS ids,
           array_agg(k.audience) AS audiences, array_agg(k.tier_id::text) AS tier_ids,
           array_agg(k.rank) AS ranks, array_agg(k.price_minor) AS prices,
           array_agg(k.currency) AS currencies, array_agg(k.message_id::text) AS message_ids,
           array_agg(k.receiver_id::text) AS receiver_ids, array_agg(k.post_id) AS post_uuids,
           array_agg(k.message_id) AS message_uuids
    FROM (
        SELECT {_CARRIER_STATE} AS state, p.id AS post_id, p.audience, p.tier_id, t.rank,
               p.price_minor, p.currency, NULL::uuid AS message_id, NULL::uuid AS receiver_id
        FROM post_media pm
        JOIN posts p ON p.id = pm.post_id
            AND (p.state <> 'deleted' OR p.taken_down_at IS NOT NULL)
        LEFT JOIN tiers t ON t.id = p.tier_id
        WHERE pm.media_id = a.id
        UNION ALL
        SELECT 'published', NULL, 'paid', NULL, NULL, s.price_minor, s.currency, s.id,
               mm.receiver_id
        FROM message_media mm JOIN messages s ON s.id = mm.message_id AND s.state = 'sent'
        WHERE mm.media_id = a.id AND mm.receiver_id = v.id
        UNION ALL
        (
            SELECT 'deleted', NULL, 'paid', NULL, NULL, NULL, NULL, mm.message_id, mm.receiver_id
            FROM message_media mm WHERE mm.media_id = a.id LIMIT 1
        )
    ) k
) c ON true"""
"""Posts, messages to the viewer, and one message to whomever: that one says only that the media
was sent. A creator may send one media to thousands."""
_CARRIER_COLUMNS = (
    "c.states, c.ids, c.audiences, c.tier_ids, c.ranks, c.prices, c.currencies, c.message_ids, "
    "c.receiver_ids"
)
_CARRIER_WIDTH = 9
_DECIDED_BY = (
    f"v.role, a.id::text, a.owner_id::text, a.state, a.visibility, "
    f"{OWNER_COLUMNS}, {ITEM_COLUMNS}, {_CARRIER_COLUMNS}"
)
_DECIDED_WIDTH = 5 + OWNER_WIDTH + ITEM_WIDTH + _CARRIER_WIDTH
_ITEM_RIGHTS = item_rights(
    ON_MEDIA.format(media_id="a.id"),
    ON_POSTS.format(post_ids="c.post_uuids"),
    ON_MESSAGES.format(message_ids="c.message_uuids"),
)
# What is known of an owner stands in the first row of theirs only: a page is often of one.
_GATHERED = f"""
LEFT JOIN viewer v ON true
LEFT JOIN owners o ON o.owner_id = a.owner_id AND a.is_first
{_CARRIERS}
{_ITEM_RIGHTS}
"""

DECIDE_MANY_SQL = f"""
WITH {VIEWER},
asked AS MATERIALIZED (
    SELECT given.place, m.id, m.owner_id, m.state, m.visibility,
           row_number() OVER (PARTITION BY m.owner_id ORDER BY given.place) = 1 AS is_first
    FROM unnest(%(media_ids)s::uuid[]) WITH ORDINALITY AS given (id, place)
    LEFT JOIN media m ON m.id = given.id
),
{OWNERS}
SELECT {_DECIDED_BY}
FROM asked a
{_GATHERED}
ORDER BY a.place
""".encode()

_RENDITION = """jsonb_build_array(
    r.kind, r.name, r.content_type, r.bucket, r.object_key, r.bytes,
    r.width, r.height, r.duration_ms, r.encrypted, r.meta, {segments}
) ORDER BY r.kind, r.name"""


def _open_sql(*, renditions: str, key: bool = False) -> bytes:
    """The statement that opens one media; it answers one row even if there is no such media."""
    key_columns = "m.key_id, m.key_wrapped" if key else "NULL, NULL"
    return f"""
WITH {VIEWER},
asked AS MATERIALIZED (
    SELECT m.id, m.owner_id, m.state, m.visibility, true AS is_first
    FROM (SELECT %(media_id)s::uuid AS id) given LEFT JOIN media m ON m.id = given.id
),
{OWNERS}
SELECT {_DECIDED_BY}, {renditions}, {key_columns}, {MEDIA_COLUMNS}
FROM asked a
LEFT JOIN media m ON m.id = a.id
{_GATHERED}
""".encode()


def _renditions_sql(*, segments: str, only: str = "true") -> str:
    return f"""(
    SELECT jsonb_agg({_RENDITION.format(segments=segments)}) FROM renditions r
    WHERE r.media_id = m.id AND r.generation = m.published_generation AND {only}
)"""


_OPEN_BARE = _open_sql(renditions="NULL")
OPEN_SQL = _open_sql(renditions=_renditions_sql(segments="NULL"))
_OPEN_SEGMENTS = _open_sql(
    renditions=_renditions_sql(
        segments="r.segments",
        only="r.segments IS NOT NULL AND (%(name)s::text IS NULL OR r.name = %(name)s)",
    )
)
_OPEN_KEY = _open_sql(renditions="NULL", key=True)


async def decide_many(
    reads: ReadPool, *, caller: Caller, media_ids: Sequence[str], now: datetime
) -> list[Decision]:
    """One decision for each id, in order, by one statement.

    What does not exist is `HIDDEN`, as is what the viewer may not know of.

    Raises:
        Unauthenticated: the account or the session is over.
    """
    decided = await decide_with_owners(reads, caller=caller, media_ids=media_ids, now=now)
    return [decision for _, decision in decided]


async def decide_with_owners(
    reads: ReadPool, *, caller: Caller, media_ids: Sequence[str], now: datetime
) -> list[tuple[str | None, Decision]]:
    """As `decide_many`, with the owner of each; None where there is no such media."""
    params = {**viewer_params(caller, now), "media_ids": list(media_ids)}
    rows = await reads.fetch_all(DECIDE_MANY_SQL, params)
    judge = _Judge(viewer_from(caller, rows[0][0] if rows else None), now)
    return [(row[2], judge.decide(row)) for row in rows]


async def open_media(
    reads: ReadPool, *, caller: Caller, media_id: str, now: datetime
) -> OpenedMedia:
    """A media and its renditions without their segments.

    Raises:
        NotFound: there is none, or the viewer may not know of it.
        Unauthenticated: the account or the session is over.
    """
    return await _open(OPEN_SQL, reads, caller, media_id, now)


async def open_media_row(
    reads: ReadPool, *, caller: Caller, media_id: str, now: datetime
) -> OpenedMedia:
    """As `open_media`, without renditions."""
    return await _open(_OPEN_BARE, reads, caller, media_id, now)


async def open_for_playlist(
    reads: ReadPool, *, caller: Caller, media_id: str, now: datetime, name: str | None
) -> OpenedMedia:
    """As `open_media`, with the segments of its HLS renditions, or of the one called `name`."""
    return await _open(_OPEN_SEGMENTS, reads, caller, media_id, now, name=name)


async def open_for_key(
    reads: ReadPool, *, caller: Caller, media_id: str, now: datetime
) -> OpenedMedia:
    """As `open_media`, with the wrapped key and without renditions."""
    return await _open(_OPEN_KEY, reads, caller, media_id, now)


async def _open(
    sql: bytes,
    reads: ReadPool,
    caller: Caller,
    media_id: str,
    now: datetime,
    **params: str | None,
) -> OpenedMedia:
    row = await reads.fetch_one(sql, {**viewer_params(caller, now), "media_id": media_id, **params})
    assert row is not None, "the statement answers one row for any id"
    viewer = viewer_from(caller, row[0])
    decision = _Judge(viewer, now).decide(row[:_DECIDED_WIDTH])
    if decision.hidden:
        raise _no_such_media(media_id)
    renditions, key_id, key_wrapped, *columns = row[_DECIDED_WIDTH:]
    return OpenedMedia(
        viewer=viewer,
        media=MediaRecord(*columns),
        decision=decision,
        renditions=_fetchable(renditions, allowed=decision.allowed),
        key_id=key_id if decision.allowed else None,
        key_wrapped=key_wrapped if decision.allowed else None,
    )


class _Judge:
    """Decides row by row of one statement, and remembers what rows have in common."""

    def __init__(self, viewer: Viewer, now: datetime) -> None:
        self._viewer = viewer
        self._now = now
        self._owners: dict[str, tuple[Standing | None, list[Grant]]] = {}
        self._decided: dict[Row, Decision] = {}

    def decide(self, row: Row) -> Decision:
        """The decision on a row of `_DECIDED_BY`."""
        _, media_id, owner_id = row[:3]
        if media_id is None:
            return HIDDEN
        if owner_id not in self._owners:
            columns = row[5 : 5 + OWNER_WIDTH]
            self._owners[owner_id] = owner_from(columns)
        if row[5 + OWNER_WIDTH] or row[-_CARRIER_WIDTH]:
            return self._judge(row)
        # Neither a right of its own nor a post tells it from the owner's other media.
        alike = row[2:5]
        decision = self._decided.get(alike)
        if decision is None:
            decision = self._decided[alike] = self._judge(row)
        return decision

    def _judge(self, row: Row) -> Decision:
        _, media_id, owner_id, state, visibility = row[:5]
        standing, grants = self._owners[owner_id]
        if standing is None and not self._viewer.role.is_staff:
            return HIDDEN
        subject = media_subject(
            media_id=media_id,
            owner_id=owner_id,
            state=MediaState(state),
            visibility=Visibility(visibility),
            carriers=_carriers(row[-_CARRIER_WIDTH:]),
        )
        own = item_grants(row[5 + OWNER_WIDTH : -_CARRIER_WIDTH])
        return decide(self._viewer, subject, [*grants, *own], self._now, standing or NO_STANDING)


def _carriers(columns: Row) -> list[Carrier]:
    states, *rules = columns
    if not states:
        return []
    return [
        Carrier(PostState(state), rule_from(*rule))
        for state, *rule in zip(states, *rules, strict=True)
    ]


def _fetchable(rows: list[list[Any]] | None, *, allowed: bool) -> tuple[StoredRendition, ...]:
    stored = (StoredRendition(RenditionKind(row[0]), *row[1:]) for row in rows or ())
    return tuple(each for each in stored if allowed or each.kind.is_public_preview)


def _no_such_media(media_id: str) -> NotFound:
    return NotFound("There is no such media.", code="media_not_found", media_id=media_id)
