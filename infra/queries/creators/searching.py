"""Creators by name, through the trigram index `ix_users_search`: one statement for a page.

What is found is ranked by names alone (see `domain.searching.Place`). Who is hidden from the
viewer is left out before a page is cut, so pages are full and tell nothing of who is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from domain.access import Caller
from domain.searching import Place, literally
from infra.queries.access.gathering import VIEWER, viewer_from
from infra.queries.people import (
    LIVE_CREATOR,
    PERSON,
    PERSON_WIDTH,
    Person,
    person_from,
    shows,
)
from infra.reads import ReadPool

RESEMBLED_CHARACTERS_MIN = 4
"""Shorter queries have too few trigrams for a likeness to mean anything."""
SEARCH_SQL = f"""
WITH {VIEWER},
hidden AS MATERIALIZED (
    SELECT b.blocked_id AS id FROM viewer v JOIN blocks b ON b.blocker_id = v.id
    UNION ALL
    SELECT b.blocker_id FROM viewer v JOIN blocks b ON b.blocked_id = v.id
),
found AS MATERIALIZED (
    SELECT u.id, k.closeness,
        CASE WHEN k.closeness < 3 THEN length(u.search_text)
             ELSE round((1 - word_similarity(%(query)s, u.search_text)) * 10000)::int
        END AS distance
    FROM users u
    CROSS JOIN LATERAL (
        SELECT CASE WHEN u.handle = %(query)s THEN 0
                    WHEN u.search_text LIKE %(prefix)s THEN 1
                    WHEN u.search_text LIKE %(word)s THEN 2
                    ELSE 3 END AS closeness
    ) k
    WHERE {LIVE_CREATOR} AND {shows("discoverable")}
      AND (u.search_text LIKE %(prefix)s OR u.search_text LIKE %(word)s
           OR %(resembled)s <%% u.search_text)
),
page AS MATERIALIZED (
    SELECT f.closeness, f.distance, f.id, c.follower_count
    FROM (
        SELECT * FROM found
        WHERE (closeness, distance, id) > (
            COALESCE(%(closeness)s::int, -1), COALESCE(%(distance)s::int, -1),
            COALESCE(%(after_id)s::uuid, '00000000-0000-0000-0000-000000000000')
        )
        ORDER BY closeness, distance, id
    ) f
    LEFT JOIN viewer v ON true
    -- One by one in that order, until the page is full.
    CROSS JOIN LATERAL (
        SELECT c.follower_count FROM creators c
        WHERE c.user_id = f.id
          AND (v.role IN ('moderator', 'admin') OR c.user_id = v.id
               OR (%(country)s::text = ANY (c.blocked_countries)) IS NOT TRUE)
        OFFSET 0
    ) c
    WHERE v.role IN ('moderator', 'admin') OR f.id NOT IN (SELECT h.id FROM hidden h)
    ORDER BY f.closeness, f.distance, f.id
    LIMIT %(limit)s
)
SELECT v.role, p.closeness, p.distance, {PERSON},
    CASE WHEN {shows("show_follower_count")} THEN p.follower_count END
FROM (SELECT true) one
LEFT JOIN viewer v ON true
LEFT JOIN (page p JOIN users u ON u.id = p.id) ON true
ORDER BY p.closeness, p.distance, p.id
""".encode()


@dataclass(frozen=True, slots=True)
class FoundCreator:
    person: Person
    follower_count: int | None
    place: Place


async def search_creators(
    reads: ReadPool, *, caller: Caller, query: str, after: Place | None, limit: int
) -> tuple[list[FoundCreator], bool]:
    """The next `limit` creators that a clean `query` finds, and whether more follow.

    Raises:
        Unauthenticated: the account or the session is over.
    """
    params = search_params(caller=caller, query=query, after=after, limit=limit)
    rows = await reads.fetch_all(SEARCH_SQL, params)
    viewer_from(caller, rows[0][0])
    found = []
    for _, closeness, distance, *columns, followers in rows:
        if closeness is None:
            continue  # Nothing was found; the row tells of the viewer alone.
        person = person_from(columns[:PERSON_WIDTH])
        found.append(FoundCreator(person, followers, Place(closeness, distance, person.id)))
    return found[:limit], len(found) > limit


def search_params(*, caller: Caller, query: str, after: Place | None, limit: int) -> dict[str, Any]:
    """The parameters of `SEARCH_SQL`; one row more tells whether another page follows."""
    return {
        "viewer_id": caller.user_id,
        "session_id": caller.session_id,
        "country": caller.country,
        "query": query,
        "resembled": query if len(query) >= RESEMBLED_CHARACTERS_MIN else None,
        "prefix": f"{literally(query)}%",
        "word": f"% {literally(query)}%",
        "closeness": after.closeness if after else None,
        "distance": after.distance if after else None,
        "after_id": after.id if after else None,
        "limit": limit + 1,
    }
