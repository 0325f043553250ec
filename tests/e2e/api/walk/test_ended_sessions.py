"""Every route that reads who asks, by somebody whose session has ended: it ends at once, or
within a second where a decision was remembered."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, update

from api.app import create_app
from infra.db import transaction
from infra.models import AuthSession, User
from infra.settings import Settings
from tests.e2e.api.published import Publisher
from tests.e2e.api.walk import ROWS
from tests.e2e.api.walk.people import make_people
from tests.e2e.api.walk.rows import Case, Row, Stage
from tests.harness.api import RunningApi

BY_TICKET = {"getMasterPlaylist", "getRenditionPlaylist", "getSegmentKey", "getStoryboard"}
"""They read who asks from their address."""
REMEMBERED_SECONDS = 1


@pytest.fixture(scope="module")
def reads_who_asks(settings: Settings) -> set[str]:
    """The operations for which the document names a way of signing in."""
    paths: dict[str, Any] = create_app(settings).openapi()["paths"]
    return {
        operation["operationId"]
        for operations in paths.values()
        for operation in operations.values()
        if operation.get("security")
    }


def test_the_document_says_of_every_route_that_refuses_strangers_how_to_sign_in(
    reads_who_asks: set[str],
) -> None:
    refuse_strangers = {row.operation for row in ROWS if row.expected["anonymous"] == 401}
    assert refuse_strangers - {"signIn", "refreshSession"} <= reads_who_asks


@pytest.mark.parametrize("how", ["session revoked", "account suspended"])
@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS])
def test_who_was_signed_in_is_so_no_more(
    api: RunningApi,
    engine: Engine,
    publish: Publisher,
    reads_who_asks: set[str],
    row: Row[Any],
    how: str,
) -> None:
    stage = Stage(api, engine, publish, make_people(engine))
    person = stage.people.owner
    case = Case(stage, person, row.subject(stage), stage.client_of(person))
    if not row.changes:
        row.call(case)  # What it may have left in a cache must not count.
    now = datetime.now(UTC)
    with transaction(engine) as session:
        if how == "session revoked":
            session.execute(update(AuthSession).values(revoked_at=now))
        else:
            session.execute(update(User).where(User.id == person.user.id).values(suspended_at=now))
    if row.operation not in reads_who_asks | BY_TICKET:
        assert row.outcome(row.call(case), case.subject) == row.expected["anonymous"]
        return
    deadline = time.monotonic() + REMEMBERED_SECONDS
    while (answer := row.call(case)).status_code != 401 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (answer.status_code, answer.json()["code"]) == (401, "session_ended")
