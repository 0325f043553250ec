"""Pages of lists that belong to the caller: one statement knows them, and lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from domain.access import Caller
from domain.accounts import Role
from domain.paging import Keyset
from infra.queries.access.gathering import VIEWER
from infra.queries.callers import session_ended
from infra.queries.people import (
    PERSON_WIDTH,
    ListedPerson,
    newest_first,
    person_from,
    since_params,
)
from infra.reads import ReadPool, Row

ME, MY_ROLE = "(SELECT v.id FROM viewer v)", "(SELECT v.role FROM viewer v)"
"""The caller in conditions. A value and no join, so that rows come from an index in the order of
the page and reading them ends when it is full."""


@dataclass(frozen=True, slots=True)
class PeoplePage:
    people: list[ListedPerson]
    last: Keyset | None
    """Where the page ended; None on the last page."""


@dataclass(frozen=True, slots=True)
class OwnPage:
    role: Role
    rows: list[Row]
    """Without the two columns of the sort key."""
    last: Keyset | None
    """Where the page ended; None on the last page."""


def own_page(columns: str, source: str, *, at: str, key: str) -> bytes:
    """A statement for `fetch_own_page`, the newest first.

    Args:
        source: what follows FROM, with WHERE and conditions, one of them on `ME`.
        at, key: the sort key: a moment, and an id that no two rows share.
    """
    return f"""
WITH {VIEWER},
page AS MATERIALIZED (
    SELECT {at} AS page_at, {key} AS page_key, {columns}
    FROM {source} AND {newest_first(at, key)}
    ORDER BY {at} DESC, {key} DESC
    LIMIT %(limit)s
)
SELECT v.role, p.* FROM viewer v LEFT JOIN page p ON true
ORDER BY p.page_at DESC, p.page_key DESC
""".encode()


async def fetch_own_page(
    reads: ReadPool,
    sql: bytes,
    *,
    caller: Caller,
    after: Keyset | None,
    limit: int,
    **params: Any,
) -> OwnPage:
    """The next page of a list of the caller's.

    Raises:
        Unauthenticated: `session_ended`.
    """
    found = await reads.fetch_all(
        sql,
        {
            "viewer_id": caller.user_id,
            "session_id": caller.session_id,
            **since_params(after, limit),
            **params,
        },
    )
    if not found:
        raise session_ended()
    role = Role(found[0][0])
    rows = [row[1:] for row in found if row[1] is not None]
    last = rows[limit - 1] if len(rows) > limit else None
    return OwnPage(
        role=role,
        rows=[row[2:] for row in rows[:limit]],
        last=None if last is None else Keyset(last[0], str(last[1])),
    )


def people_page(page: OwnPage) -> PeoplePage:
    """Of rows that are a `PERSON`, and since when they are in the list."""
    people = [ListedPerson(person_from(row[:PERSON_WIDTH]), row[PERSON_WIDTH]) for row in page.rows]
    return PeoplePage(people, page.last)
