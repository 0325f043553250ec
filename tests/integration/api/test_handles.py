"""A handle that was given up stays its owner's, however close two transactions come."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from infra.db import transaction
from infra.ids import new_id
from infra.models import FormerHandle, User
from tests.harness.rows import MakeUser

WAIT_SECONDS = 10


def take(engine: Engine, handle: str) -> None:
    with transaction(engine) as session:
        session.add(User(id=new_id(), handle=handle, display_name=handle))


def give_up(session: Session, user: User, handle: str) -> None:
    row = session.get_one(User, user.id)
    session.add(FormerHandle(handle=row.handle, user_id=row.id, given_up_at=datetime.now(UTC)))
    row.handle = handle
    session.flush()


def wait_until_somebody_waits(engine: Engine) -> None:
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        # In a transaction of its own each time: within one, activity is seen as it was at first.
        with engine.connect() as connection:
            if connection.scalar(waiting):
                return
        assert time.monotonic() < deadline, "nobody waits"
        time.sleep(0.01)


def test_who_waited_for_a_handle_does_not_get_it_when_it_is_given_up(
    engine: Engine, make_user: MakeUser
) -> None:
    mia = make_user(handle="mia")
    with ThreadPoolExecutor(1) as pool:
        with transaction(engine) as session:
            give_up(session, mia, "mia2")
            taken = pool.submit(take, engine, "mia")
            wait_until_somebody_waits(engine)
        with pytest.raises(IntegrityError, match="another account's"):
            taken.result(WAIT_SECONDS)


def test_its_owner_may_come_back_to_it(engine: Engine, make_user: MakeUser) -> None:
    mia = make_user(handle="mia")
    with transaction(engine) as session:
        give_up(session, mia, "mia2")
    with transaction(engine) as session:
        session.get_one(User, mia.id).handle = "mia"
    with pytest.raises(IntegrityError):
        take(engine, "mia")
