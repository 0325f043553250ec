"""The only door to gated media.

One statement gathers who asks, what they ask for and which rights they hold, for up to a
hundred media; `domain.access.decide` judges each. What serves content (pictures, playlists,
keys) takes an `OpenedMedia`, which only this module makes and only after a decision.

The viewer's role is read with the subject and is not taken from their token, so that a role
that was taken away, or an account that was closed, ends at the next request and costs no
round trip of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from domain.access import Decision, Grant, GrantSource, Reason, Subject, Viewer, decide
from domain.accounts import Role
from domain.errors import NotFound, PaymentRequired, Unauthenticated
from domain.media.states import MediaKind, MediaState, RenditionKind, Visibility
from infra.reads import ReadPool, Row

_HIDDEN = Decision(allowed=False, reason=Reason.HIDDEN)


@dataclass(frozen=True, slots=True)
class MediaRecord:
    """Columns of `media` that the API shows or decides by. Times in UTC."""

    id: str
    owner_id: str
    kind: str
    purpose: str
    state: str
    visibility: str
    title: str | None
    alt_text: str | None
    file_name: str
    version: int
    original_bytes: int
    original_sha256: str | None
    content_type: str | None
    generation: int
    published_generation: int | None
    step: str | None
    progress_percent: int
    progress_note: str | None
    needs_attention: bool
    rejection_code: str | None
    rejection_detail: str | None
    width: int | None
    height: int | None
    duration_ms: int | None
    thumbhash: str | None
    moderation_outcome: str | None
    moderation_labels: list[Any]
    created_at: datetime
    updated_at: datetime
    playable_at: datetime | None
    ready_at: datetime | None

    @property
    def media_kind(self) -> MediaKind:
        return MediaKind(self.kind)

    @property
    def media_state(self) -> MediaState:
        return MediaState(self.state)

    @property
    def is_published(self) -> bool:
        """Renditions are there to be served (to whom is the decision's matter)."""
        return self.published_generation is not None


@dataclass(frozen=True, slots=True)
class StoredRendition:
    """One rendition of the published generation."""

    kind: RenditionKind
    name: str
    content_type: str
    bucket: str
    object_key: str
    bytes: int
    width: int | None
    height: int | None
    duration_ms: int | None
    encrypted: bool
    meta: dict[str, Any]
    segments: list[list[int]] | None = None
    """`[duration_ticks, bytes]` of each; only where they were asked for."""


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


_COLUMNS = [each.name for each in fields(MediaRecord)]
_UUIDS = frozenset({"id", "owner_id"})
MEDIA_COLUMNS = ", ".join(f"m.{name}::text" if name in _UUIDS else f"m.{name}" for name in _COLUMNS)

_VIEWER = """
WITH viewer AS MATERIALIZED (
    SELECT id, role FROM users
    WHERE id = %(viewer_id)s::uuid AND deleted_at IS NULL
)
"""
_GRANTS = """
LEFT JOIN LATERAL (
    SELECT array_agg(e.source) AS sources, array_agg(e.starts_at) AS starts,
           array_agg(e.expires_at) AS ends, array_agg(e.revoked_at) AS revocations
    FROM entitlements e
    WHERE m.visibility = 'gated'
      AND e.fan_id = v.id AND e.creator_id = m.owner_id
      AND (e.media_id IS NULL OR e.media_id = m.id)
      AND (e.expires_at IS NULL OR e.expires_at > %(now)s)
      AND (e.revoked_at IS NULL OR e.revoked_at > %(now)s)
) g ON true
"""
"""Rights that are over are left out already here: a subscriber of years has dozens. What is
live is still for `decide` to say."""
_GRANT_COLUMNS = "g.sources, g.starts, g.ends, g.revocations"

DECIDE_MANY_SQL = f"""{_VIEWER}
SELECT v.role, m.id::text, m.owner_id::text, m.state, m.visibility, {_GRANT_COLUMNS}
FROM unnest(%(media_ids)s::uuid[]) WITH ORDINALITY AS asked (id, place)
LEFT JOIN viewer v ON true
LEFT JOIN media m ON m.id = asked.id
{_GRANTS}
ORDER BY asked.place
""".encode()

_RENDITION = """jsonb_build_array(
    r.kind, r.name, r.content_type, r.bucket, r.object_key, r.bytes,
    r.width, r.height, r.duration_ms, r.encrypted, r.meta, {segments}
) ORDER BY r.kind, r.name"""


def _open_sql(*, renditions: str, key: bool = False) -> bytes:
    """The statement that opens one media; it answers one row even if there is no such media."""
    key_columns = "m.key_id, m.key_wrapped" if key else "NULL, NULL"
    return f"""{_VIEWER}
SELECT v.role, {_GRANT_COLUMNS}, {renditions}, {key_columns}, {MEDIA_COLUMNS}
FROM (SELECT %(media_id)s::uuid AS id) asked
LEFT JOIN viewer v ON true
LEFT JOIN media m ON m.id = asked.id
{_GRANTS}
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
    reads: ReadPool, *, viewer_id: str | None, media_ids: Sequence[str], now: datetime
) -> list[Decision]:
    """One decision for each id, in order, by one statement.

    What does not exist is `HIDDEN`, as is what the viewer may not know of.

    Raises:
        Unauthenticated: the account is closed.
    """
    rows = await reads.fetch_all(
        DECIDE_MANY_SQL, {"viewer_id": viewer_id, "media_ids": list(media_ids), "now": now}
    )
    viewer = _viewer(viewer_id, rows[0][0] if rows else None)
    return [_decision_of(viewer, row, now) for row in rows]


async def open_media(
    reads: ReadPool, *, viewer_id: str | None, media_id: str, now: datetime
) -> OpenedMedia:
    """A media and its renditions without their segments.

    Raises:
        NotFound: there is none, or the viewer may not know of it.
        Unauthenticated: the account is closed.
    """
    return await _open(OPEN_SQL, reads, viewer_id, media_id, now)


async def open_media_row(
    reads: ReadPool, *, viewer_id: str | None, media_id: str, now: datetime
) -> OpenedMedia:
    """As `open_media`, without renditions."""
    return await _open(_OPEN_BARE, reads, viewer_id, media_id, now)


async def open_for_playlist(
    reads: ReadPool, *, viewer_id: str | None, media_id: str, now: datetime, name: str | None
) -> OpenedMedia:
    """As `open_media`, with the segments of its HLS renditions, or of the one called `name`."""
    return await _open(_OPEN_SEGMENTS, reads, viewer_id, media_id, now, name=name)


async def open_for_key(
    reads: ReadPool, *, viewer_id: str | None, media_id: str, now: datetime
) -> OpenedMedia:
    """As `open_media`, with the wrapped key and without renditions."""
    return await _open(_OPEN_KEY, reads, viewer_id, media_id, now)


async def _open(
    sql: bytes,
    reads: ReadPool,
    viewer_id: str | None,
    media_id: str,
    now: datetime,
    **params: str | None,
) -> OpenedMedia:
    row = await reads.fetch_one(
        sql, {"viewer_id": viewer_id, "media_id": media_id, "now": now, **params}
    )
    assert row is not None, "the statement answers one row for any id"
    role, *grant_columns, renditions, key_id, key_wrapped = row[:8]
    viewer = _viewer(viewer_id, role)
    if row[8] is None:
        raise _no_such_media(media_id)
    media = MediaRecord(*row[8:])
    subject = Subject(media.id, media.owner_id, media.media_state, Visibility(media.visibility))
    decision = decide(viewer, subject, _grants(grant_columns), now)
    if decision.hidden:
        raise _no_such_media(media_id)
    return OpenedMedia(
        viewer=viewer,
        media=media,
        decision=decision,
        renditions=_fetchable(renditions, allowed=decision.allowed),
        key_id=key_id if decision.allowed else None,
        key_wrapped=key_wrapped if decision.allowed else None,
    )


def _viewer(viewer_id: str | None, role: str | None) -> Viewer:
    if viewer_id is None:
        return Viewer(None)
    if role is None:
        raise Unauthenticated("This account does not exist any more.", code="account_closed")
    return Viewer(viewer_id, Role(role))


def _decision_of(viewer: Viewer, row: Row, now: datetime) -> Decision:
    _, media_id, owner_id, state, visibility, *grant_columns = row
    if media_id is None:
        return _HIDDEN
    subject = Subject(media_id, owner_id, MediaState(state), Visibility(visibility))
    return decide(viewer, subject, _grants(grant_columns), now)


def _grants(columns: Sequence[list[Any] | None]) -> list[Grant]:
    sources, starts, ends, revocations = columns
    if not sources or starts is None or ends is None or revocations is None:
        return []
    return [
        Grant(GrantSource(source), start, end, revoked)
        for source, start, end, revoked in zip(sources, starts, ends, revocations, strict=True)
    ]


def _fetchable(rows: list[list[Any]] | None, *, allowed: bool) -> tuple[StoredRendition, ...]:
    stored = (StoredRendition(RenditionKind(row[0]), *row[1:]) for row in rows or ())
    return tuple(each for each in stored if allowed or each.kind.is_public_preview)


def _no_such_media(media_id: str) -> NotFound:
    return NotFound("There is no such media.", code="media_not_found", media_id=media_id)
