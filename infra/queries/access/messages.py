"""Messages behind the door: one at a time, or a page of one conversation.

What shows a message takes an `OpenedMessage`, which only this module makes and only after a
decision; of a locked one it holds neither text nor media. Staff are judged as anybody is: their
office doesn't open what two people write to each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.access import (
    Caller,
    Decision,
    Subject,
    Viewer,
    decide,
    message_rule,
    message_subject,
)
from domain.errors import NotFound
from domain.posts import Audience
from infra.queries.access.gathering import (
    ITEM_COLUMNS,
    ITEM_WIDTH,
    NO_STANDING,
    ON_MESSAGE,
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
from infra.queries.access.posts import CarriedMedia, as_fan, carried_media
from infra.queries.access.posts_sql import carried
from infra.reads import ReadPool, Row


@dataclass(frozen=True, slots=True)
class OpenedMessage:
    """A message that the viewer may know of, with what was decided about its content."""

    id: str
    conversation_id: str
    seq: int
    sender_id: str
    price_minor: int | None
    currency: str | None
    media_count: int
    created_at: datetime
    decision: Decision
    body: str | None
    """None where it is locked."""
    media: tuple[CarriedMedia, ...]
    """None of them where it is locked."""

    @property
    def owner_id(self) -> str:
        return self.sender_id


@dataclass(frozen=True, slots=True)
class OpenedConversation:
    """Messages of one conversation, the newest first."""

    viewer: Viewer
    messages: list[OpenedMessage]
    next_seq: int | None
    """Where the next page begins, which has the messages before it; None on the last page."""


_DECIDED_BY = (
    "v.role, a.id::text, a.owner_id::text, a.receiver_id::text, a.price_minor, a.currency, "
    f"{OWNER_COLUMNS}, {ITEM_COLUMNS}"
)
_DECIDED_WIDTH = 6 + OWNER_WIDTH + ITEM_WIDTH


def _open_sql(conversation: str, message: str) -> bytes:
    """The statement that opens messages. Its first row is of the viewer's opposite, in whose
    conversation the others are; that one is empty where they have no such conversation."""
    return f"""
WITH {VIEWER},
held AS MATERIALIZED (
    SELECT c.id, v.id AS viewer_id,
           CASE WHEN c.fan_id = v.id THEN c.creator_id ELSE c.fan_id END AS other_id
    FROM conversations c JOIN viewer v ON v.id IN (c.fan_id, c.creator_id)
    WHERE {conversation}
),
asked AS MATERIALIZED (
    SELECT h.id AS conversation_id, h.other_id AS owner_id, NULL::uuid AS id, NULL::bigint AS seq,
           NULL::uuid AS receiver_id, NULL::bigint AS price_minor, NULL AS currency,
           NULL AS body, 0 AS media_count, NULL::timestamptz AS created_at
    FROM held h
    UNION ALL
    SELECT h.id, m.sender_id, m.id, m.seq,
           CASE WHEN m.sender_id = h.viewer_id THEN h.other_id ELSE h.viewer_id END,
           m.price_minor, m.currency, m.body, m.media_count, m.created_at
    FROM held h CROSS JOIN LATERAL (
        SELECT * FROM messages m WHERE m.conversation_id = h.id AND m.state = 'sent' AND {message}
    ) m
),
{OWNERS}
SELECT {_DECIDED_BY}, a.conversation_id::text, a.seq, a.media_count, a.created_at, a.body,
       {carried("message_media", "message_id", only="true")}
FROM (SELECT) one
LEFT JOIN viewer v ON true
LEFT JOIN asked a ON true
LEFT JOIN owners o ON o.owner_id = a.owner_id
{item_rights(ON_MESSAGE.format(message_id="a.id"))}
ORDER BY a.id IS NOT NULL, a.seq DESC
""".encode()


CONVERSATION_SQL = _open_sql(
    "c.id = %(conversation_id)s::uuid",
    "m.seq < %(before)s::bigint ORDER BY m.seq DESC LIMIT %(limit)s",
)
_ONE = _open_sql(
    "c.id = (SELECT conversation_id FROM messages WHERE id = %(message_id)s::uuid)",
    "m.id = %(message_id)s::uuid",
)
_NEWEST = 2**63 - 1


async def open_conversation(
    reads: ReadPool,
    *,
    caller: Caller,
    conversation_id: str,
    now: datetime,
    before: int | None,
    limit: int,
) -> OpenedConversation:
    """The newest messages before that number, or of all.

    Raises:
        NotFound: there is none with the caller in it, or they may not know of the other.
        Unauthenticated: the account or the session is over.
    """
    params = {
        **viewer_params(caller, now),
        "conversation_id": conversation_id,
        "before": _NEWEST if before is None else before,
        "limit": limit + 1,
    }
    rows = await reads.fetch_all(CONVERSATION_SQL, params)
    found = _open(rows, caller, now)
    if found is None:
        raise NotFound("There is no such conversation.", code="conversation_not_found")
    page = rows[1 : limit + 1]
    seqs = [row[_DECIDED_WIDTH + 1] for row in page]
    has_more = len(rows) > limit + 1
    return OpenedConversation(
        viewer=as_fan(viewer_from(caller, rows[0][0])),
        messages=found[:limit],
        next_seq=seqs[-1] if has_more else None,
    )


async def open_message(
    reads: ReadPool, *, caller: Caller, message_id: str, now: datetime
) -> OpenedMessage:
    """One message of a conversation of the caller's.

    Raises:
        NotFound: there is none, or the caller may not know of it.
        Unauthenticated: the account or the session is over.
    """
    rows = await reads.fetch_all(_ONE, {**viewer_params(caller, now), "message_id": message_id})
    found = _open(rows, caller, now)
    if not found:
        raise no_such_message(message_id)
    return found[0]


def no_such_message(message_id: str) -> NotFound:
    return NotFound("There is no such message.", code="message_not_found", message_id=message_id)


def _open(rows: Sequence[Row], caller: Caller, now: datetime) -> list[OpenedMessage] | None:
    """None: the viewer has no such conversation, or may not know of the other in it."""
    viewer = as_fan(viewer_from(caller, rows[0][0]))
    first, *rest = rows
    if first[2] is None or _hides_other(first, viewer, now):
        return None
    return [_opened(row, viewer, now) for row in rest]


def _hides_other(row: Row, viewer: Viewer, now: datetime) -> bool:
    standing, _ = owner_from(row[6 : 6 + OWNER_WIDTH])
    if standing is None:
        return True
    open_to_all = Subject(row[2], (rule_from(None, Audience.PUBLIC, None, None, None, None),))
    return decide(viewer, open_to_all, (), now, standing).hidden


def _opened(row: Row, viewer: Viewer, now: datetime) -> OpenedMessage:
    _, message_id, sender_id, receiver_id, price_minor, currency = row[:6]
    standing, grants = owner_from(row[6 : 6 + OWNER_WIDTH])
    own = item_grants(row[6 + OWNER_WIDTH : _DECIDED_WIDTH])
    rule = message_rule(
        message_id=message_id, receiver_id=receiver_id, price_minor=price_minor, currency=currency
    )
    subject = message_subject(sender_id=sender_id, rule=rule)
    decision = decide(viewer, subject, [*grants, *own], now, standing or NO_STANDING)
    conversation_id, seq, media_count, created_at, body, media = row[_DECIDED_WIDTH:]
    return OpenedMessage(
        id=message_id,
        conversation_id=conversation_id,
        seq=seq,
        sender_id=sender_id,
        price_minor=price_minor,
        currency=currency,
        media_count=media_count,
        created_at=created_at,
        decision=decision,
        body=body if decision.allowed else None,
        media=carried_media(media, decision) if decision.allowed else (),
    )
