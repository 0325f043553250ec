"""Search by name: what is found, in which order, for whom, and at which cost."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from domain.access import Caller
from domain.accounts import Role
from domain.errors import Invalid, Unauthenticated
from domain.searching import Place, clean_query, cursor_for_place, place_from
from infra.models import User
from infra.queries.creators.searching import (
    SEARCH_SQL,
    FoundCreator,
    search_creators,
    search_params,
)
from tests.e2e.api.people import block_country, block_row, close, suspend
from tests.harness.rows import MakeUser
from tests.integration.api.test_access_queries import CountedReads, reads

__all__ = ["reads"]
NOBODY = Caller(None)


async def search(
    reads: CountedReads, query: str, *, caller: Caller = NOBODY, limit: int = 20
) -> list[str]:
    found, _ = await search_creators(
        reads, caller=caller, query=clean_query(query), after=None, limit=limit
    )
    return [each.person.handle for each in found]


@pytest.fixture
def make_creators(make_user: MakeUser) -> Any:
    def make(*names: tuple[str, str]) -> list[User]:
        return [
            make_user(role=Role.CREATOR, handle=handle, display_name=name) for handle, name in names
        ]

    return make


async def test_the_handle_comes_first_then_beginnings_then_words_then_likeness(
    reads: CountedReads, make_creators: Any
) -> None:
    make_creators(
        ("isabelle9", "Somebody Else"),
        ("a.long.beginning", "Isabella Rossellini the Second"),
        ("isabella.rossi", "I. Rossi"),
        ("isabella", "Rossi"),
        ("tom", "Tom Tanaka"),
    )
    reads.statements = 0
    assert await search(reads, "isabella") == [
        "isabella",
        "isabella.rossi",
        "a.long.beginning",
        "isabelle9",
    ]
    assert reads.statements == 1
    assert await search(reads, "Isabela") == await search(reads, "  ISABELA ")
    assert "isabella" in await search(reads, "isabela"), "one letter is missing"
    assert await search(reads, "@tom") == ["tom"]
    assert await search(reads, "tanaka") == ["tom"]
    assert await search(reads, "tom t") == ["tom"]
    assert await search(reads, "zzzz") == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("Jos\u00e9", ["jose1"]),
        ("JOSE\u0301", ["jose1"]),
        ("\u7530\u4e2d", ["tanaka"]),
        ("100%", ["percent"]),
        ("a_b", ["a_b"]),
        ("'; DROP TABLE users; --", []),
        ("mia' OR '1'='1", []),
        ("\\\\ab", []),
        ("a%b", []),
        ("%ab%", []),
        ("__ab", []),
    ],
)
async def test_a_query_means_its_letters_and_nothing_more(
    reads: CountedReads, make_creators: Any, query: str, found: list[str]
) -> None:
    make_creators(
        ("jose1", "Jos\u00e9"),
        ("tanaka", "\u7530\u4e2d\u307f\u3042"),
        ("percent", "100% Real"),
        ("a_b", "Under Score"),
        ("axb", "Ax Bx"),
        ("mia", "Mia"),
    )
    assert await search(reads, query) == found


@pytest.mark.parametrize("query", ["", "a", "%%%%", "__", "@a", "- -", "\u3000"])
def test_a_query_that_would_find_everything_is_refused(query: str) -> None:
    with pytest.raises(Invalid) as caught:
        clean_query(query)
    assert caught.value.code == "query_too_short"


async def test_who_is_hidden_from_the_viewer_is_not_found(
    reads: CountedReads, make_user: MakeUser, make_creators: Any, engine: Engine
) -> None:
    fan, staff = make_user(), make_user(role=Role.MODERATOR)
    shown, blocking, blocked, abroad, suspended, closed = make_creators(
        *((f"mia{number}", "Mia") for number in range(6))
    )
    make_user(role=Role.CREATOR, handle="mia6", settings={"discoverable": False})
    make_user(handle="mia7")
    block_row(engine, blocking, fan)
    block_row(engine, fan, blocked)
    block_country(engine, abroad, "DE")
    suspend(engine, suspended)
    close(engine, closed)
    handles = [user.handle for user in (shown, blocking, blocked, abroad)]
    everybody = sorted(handles)
    assert sorted(await search(reads, "mia", caller=Caller(fan.id, country="DE"))) == ["mia0"]
    assert sorted(await search(reads, "mia", caller=Caller(fan.id))) == ["mia0", "mia3"]
    assert sorted(await search(reads, "mia")) == everybody
    assert "mia3" not in await search(reads, "mia", caller=Caller(None, country="DE"))
    assert "mia3" in await search(reads, "mia", caller=Caller(abroad.id, country="DE"))
    assert sorted(await search(reads, "mia", caller=Caller(staff.id, country="DE"))) == everybody
    with pytest.raises(Unauthenticated):
        await search(reads, "mia", caller=Caller(closed.id))


async def test_pages_hold_everybody_once_and_are_full_whoever_is_hidden(
    reads: CountedReads, make_user: MakeUser, engine: Engine
) -> None:
    fan = make_user()
    creators = [
        make_user(role=Role.CREATOR, handle=f"mia{number:02}", display_name="M" * (number % 3 + 1))
        for number in range(12)
    ]
    for hidden in creators[::4]:
        block_row(engine, hidden, fan)
    pages: list[list[FoundCreator]] = []
    after: Place | None = None
    more = True
    while more:
        found, more = await search_creators(
            reads, caller=Caller(fan.id), query="mia", after=after, limit=4
        )
        pages.append(found)
        after = place_from(cursor_for_place(found[-1].place))
    assert [len(page) for page in pages] == [4, 4, 1]
    handles = [each.person.handle for page in pages for each in page]
    assert len(set(handles)) == 9


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "!" * 26, "a" * 27])
def test_a_cursor_that_search_did_not_give_out_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid) as caught:
        place_from(cursor)
    assert caught.value.code == "cursor_invalid"


def test_names_are_looked_up_in_the_trigram_index(engine: Engine) -> None:
    asked = search_params(caller=Caller(None), query="isabella", after=None, limit=20)
    with engine.connect() as connection:
        # A table of a test is too small for any index to pay.
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        explained = "EXPLAIN " + SEARCH_SQL.decode()
        plan = "\n".join(connection.exec_driver_sql(explained, asked).scalars())
    assert plan.count("Bitmap Index Scan on ix_users_search") == 3, plan
