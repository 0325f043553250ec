"""Staff search the audit log, and stand in it themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.audit import verify
from infra.db import transaction
from infra.ids import new_id
from infra.models import AuditEntry
from infra.queries import audit
from tests.e2e.api.admin.conftest import ADMIN, Office

AUDIT = f"{ADMIN}/audit"
EVE = new_id()
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def told(office: Office) -> Office:
    """Five entries, an hour apart."""
    for number in range(5):
        with transaction(office.engine) as session:
            entry = AuditEntry(
                at=NOON + number * timedelta(hours=1),
                actor_id=EVE if number % 2 else None,
                actor_name="eve" if number % 2 else "system",
                action="post.deleted" if number < 2 else "media.deleted",
                subject_type="post" if number < 2 else "media",
                subject_id=str(number),
                request_id=f"request-{number}",
                detail={"number": number},
            )
            audit.record(session, entry)
    return office


def found(office: Office, **query: Any) -> list[int]:
    answer = office.admin.get(AUDIT, params=query)
    assert answer.status_code == 200, answer.text
    return [
        entry["detail"]["number"] for entry in answer.json()["data"] if "number" in entry["detail"]
    ]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({}, [4, 3, 2, 1, 0]),
        ({"actor_id": EVE}, [3, 1]),
        ({"actor": "system"}, [4, 2, 0]),
        ({"action": "post.deleted"}, [1, 0]),
        ({"subject_type": "media"}, [4, 3, 2]),
        ({"subject_type": "media", "subject_id": "3"}, [3]),
        ({"request_id": "request-2"}, [2]),
        ({"since": "2026-01-01T13:00:00Z", "until": "2026-01-01T16:00:00+01:00"}, [2, 1]),
        ({"actor": "eve", "action": "post.deleted"}, [1]),
        ({"actor": "nobody"}, []),
    ],
)
def test_entries_are_found_by_all_that_is_asked(
    told: Office, query: dict[str, str], numbers: list[int]
) -> None:
    assert found(told, **query) == numbers


def test_pages_hold_every_entry_once(told: Office) -> None:
    seen: list[int] = []
    query: dict[str, Any] = {"limit": 2, "until": "2026-01-02T00:00:00Z"}
    while True:
        page = told.admin.get(AUDIT, params=query).json()
        seen += [entry["detail"]["number"] for entry in page["data"]]
        if not page["has_more"]:
            assert page["next_cursor"] is None
            break
        query["cursor"] = page["next_cursor"]
    assert seen == [4, 3, 2, 1, 0]


def test_an_entry_shows_its_place_in_the_chain(told: Office) -> None:
    (entry,) = told.admin.get(AUDIT, params={"request_id": "request-4"}).json()["data"]
    head = verify(told.engine).head
    (read,) = told.admin.get(AUDIT, params={"action": "audit.read"}).json()["data"]
    assert f"{read['position']}:{read['hash']}" == str(head)
    assert entry["position"] == read["position"] - 1


def test_reading_is_written_down_with_what_was_looked_for(told: Office) -> None:
    answer = told.admin.get(AUDIT, params={"actor": "eve", "limit": 1})
    (entry,) = told.entries("audit.read")
    assert entry.actor_id == told.people.admin.user.id
    assert entry.request_id == answer.headers["x-request-id"]
    assert entry.detail == {"looked_for": {"actor_name": "eve"}}


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "nonsense"},
        {"since": "2026-01-01T00:00:00"},
        {"actor_id": "eve"},
        {"action": "post deleted"},
        {"unknown": "1"},
    ],
)
def test_a_search_that_makes_no_sense_is_refused(office: Office, query: dict[str, str]) -> None:
    assert office.admin.get(AUDIT, params=query).status_code == 422
    assert office.entries("audit.read") == []
