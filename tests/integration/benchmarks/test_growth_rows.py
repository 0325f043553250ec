"""Rows written in bulk are such as the platform would have written, and are read as those are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import Engine

from benchmarks.growth_rows import POSTS, Asker, fill_to
from infra.db import transaction
from infra.queries.access import DECIDE_MANY_SQL
from infra.queries.ledger import trial_balance, verify
from infra.queries.people import since_params
from infra.queries.posts.lists import FEED_SQL
from infra.settings import Settings

SUBSCRIPTIONS = 1_000
OF_THE_FAN = 10


@pytest.fixture
def connection(settings: Settings) -> Iterator[psycopg.Connection]:
    with psycopg.connect(settings.psycopg_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def asker(engine: Engine, connection: psycopg.Connection) -> Asker:  # noqa: ARG001
    return fill_to(connection, SUBSCRIPTIONS)


def test_the_ledger_finds_nothing_wrong_and_the_reads_find_all(
    asker: Asker, engine: Engine, connection: psycopg.Connection
) -> None:
    with transaction(engine) as session:
        assert verify(session) == []
        assert trial_balance(session).sums == {"USD": 0}
    assert len(asker.media_ids) == OF_THE_FAN * POSTS
    who = {"viewer_id": asker.fan_id, "session_id": None, "now": datetime.now(UTC)}
    decided = connection.execute(DECIDE_MANY_SQL, {**who, "media_ids": asker.media_ids})
    assert len(decided.fetchall()) == len(asker.media_ids)
    later = {**who, "now": datetime.now(UTC) + timedelta(minutes=1)}
    page = connection.execute(FEED_SQL, {**later, "country": None, **since_params(None, 20)})
    assert len(page.fetchall()) == 21
