"""The bench's ear for rights."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from benchmarks import rights
from benchmarks.rights import RightsHeard
from infra.models import User
from infra.settings import Settings
from tests.harness.rows import MakeUser


@pytest.fixture
def fan(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
def heard(settings: Settings, fan: User) -> Iterator[RightsHeard]:
    heard = RightsHeard(settings, fan.id)
    yield heard
    heard.close()


def give_right(engine: Engine, fan: User, creator: User) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO entitlements (id, fan_id, creator_id, source, starts_at) "
                "VALUES (gen_random_uuid(), :fan, :creator, 'subscription', now())"
            ),
            {"fan": fan.id, "creator": creator.id},
        )


def test_a_right_is_heard_when_it_is_committed_and_others_are_not(
    engine: Engine,
    fan: User,
    heard: RightsHeard,
    make_user: MakeUser,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    creator = make_user()
    give_right(engine, fan, creator)
    heard.wait()
    heard.forget()
    begun = time.perf_counter()
    give_right(engine, fan, creator)
    assert begun < heard.wait() < time.perf_counter()

    monkeypatch.setattr(rights, "HEARD_SECONDS", 0.3)
    give_right(engine, make_user(), make_user())
    with pytest.raises(queue.Empty):
        heard.wait()
