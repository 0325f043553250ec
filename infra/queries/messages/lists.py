"""A person's conversations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain.access import Caller
from domain.paging import Keyset
from infra.queries.own_pages import ME, fetch_own_page, own_page
from infra.queries.people import PERSON, PERSON_WIDTH, SHOWN, Person, newest_first, person_from
from infra.reads import ReadPool


def _side(mine: str, other: str) -> str:
    """A page of the conversations in which the caller is that one."""
    return f"""
    SELECT {PERSON}, c.id, {mine} = creator_id AS sells, c.last_seq, c.last_message_at,
           c.created_at
    FROM conversations c JOIN users u ON u.id = c.{other}
    WHERE c.{mine} = {ME} AND {newest_first("c.last_message_at", "c.id")} AND {SHOWN}
      AND NOT EXISTS (SELECT FROM blocks b WHERE b.blocker_id = u.id AND b.blocked_id = {ME})
      AND NOT EXISTS (SELECT FROM blocks b WHERE b.blocker_id = {ME} AND b.blocked_id = u.id)
      AND NOT EXISTS (
          SELECT FROM creators k WHERE k.user_id = u.id
          AND %(country)s::text = ANY (k.blocked_countries)
      )
    ORDER BY c.last_message_at DESC, c.id DESC
    LIMIT %(limit)s"""


MY_CONVERSATIONS_SQL = own_page(
    "c.user_id, c.handle, c.display_name, c.avatar, c.id::text, c.sells, c.last_seq, "
    "c.last_message_at, c.created_at",
    # A page of each side, and not an OR, so that both come from an index in their order.
    f"""(({_side("fan_id", "creator_id")}) UNION ALL ({_side("creator_id", "fan_id")}))
    AS c (user_id, handle, display_name, avatar, id, sells, last_seq, last_message_at, created_at)
    WHERE true""",
    at="c.last_message_at",
    key="c.id",
)


@dataclass(frozen=True, slots=True)
class ListedConversation:
    other: Person
    id: str
    sells: bool
    """The one who asks is its creator."""
    last_seq: int
    last_message_at: datetime
    created_at: datetime


async def list_conversations(
    reads: ReadPool, *, caller: Caller, after: Keyset | None, limit: int
) -> tuple[list[ListedConversation], Keyset | None]:
    """Those with the newest messages first, and where the page ended; None on the last page.

    Raises:
        Unauthenticated: `session_ended`.
    """
    page = await fetch_own_page(
        reads, MY_CONVERSATIONS_SQL, caller=caller, after=after, limit=limit, country=caller.country
    )
    found = [
        ListedConversation(person_from(row[:PERSON_WIDTH]), *row[PERSON_WIDTH:])
        for row in page.rows
    ]
    return found, page.last
