"""Walks every route as everybody, and holds that no route is left out."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from api.app import create_app
from api.contract.document import (
    LACKING,
    LOCATED,
    PROVING,
    RUNNING_OUT,
    TAGGED,
    operations_of,
)
from infra.settings import Settings
from tests.e2e.api.published import Publisher
from tests.e2e.api.walk import OPERATIONS, ROWS, WITHOUT_OPERATION
from tests.e2e.api.walk.people import make_people
from tests.e2e.api.walk.rows import Case, Row, Stage, faults_of, leaks_of
from tests.harness.api import RunningApi

HEADERS = ("ETag", "Location", "RateLimit", "RateLimit-Policy")


def answers_said(document: dict[str, Any], operation_id: str) -> dict[str, Any]:
    """What the document says of the operation's answers, by status; `default` is not said."""
    [operation] = [
        operation
        for _, _, operation in operations_of(document)
        if operation["operationId"] == operation_id
    ]
    return {status: said for status, said in operation["responses"].items() if status != "default"}


def test_every_route_has_its_row(settings: Settings) -> None:
    assert faults_of(create_app(settings), ROWS, WITHOUT_OPERATION) == []


def test_only_routes_that_there_are_have_something_of_their_own() -> None:
    named = TAGGED | LOCATED | PROVING | LACKING | RUNNING_OUT
    assert named - set(OPERATIONS) == set()


def test_rows_of_one_operation_are_told_apart() -> None:
    names = [row.name for row in ROWS]
    assert sorted(names) == sorted(set(names))


@pytest.fixture(scope="module")
def document(settings: Settings) -> dict[str, Any]:
    return dict(create_app(settings).openapi())


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS])
def test_who_gets_what(
    api: RunningApi,
    engine: Engine,
    publish: Publisher,
    document: dict[str, Any],
    row: Row[Any],
) -> None:
    stage = Stage(api, engine, publish, make_people(engine))
    subject = None if row.changes else row.subject(stage)
    got = {}
    for name, person in stage.people.each():
        asked = row.subject(stage) if row.changes else subject
        case = Case(stage, person, asked, stage.client_of(person))
        answer = row.call(case)
        got[name] = row.outcome(answer, asked)
        said = answers_said(document, row.operation)
        assert str(answer.status_code) in said, (name, answer.text)
        if answer.status_code >= 400:
            assert answer.json()["status"] == answer.status_code
        else:
            sent = {each for each in HEADERS if each.lower() in answer.headers}
            named = said[str(answer.status_code)].get("headers", {})
            assert sent == named.keys() & set(HEADERS), name
        assert leaks_of(answer, got[name]) == [], name
    assert got == row.expected
