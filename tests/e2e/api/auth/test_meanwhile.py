"""An account is shut, or its sessions end, while a request of somebody in it is under way: the
request gets past nothing of it, and neither waits for the other without an end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx2 as httpx
import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from infra.db import transaction
from infra.models import AuthSession, Passkey, RecoveryCode, TotpSecret, User
from tests.e2e.api.auth.accounts import Accounts
from tests.e2e.api.auth.owners import Owner, Owners, code_of
from tests.e2e.api.auth.test_passkeys import options, sign_in
from tests.harness.authenticator import Authenticator

BLOCKED_SECONDS = 10


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as threads:
        yield threads


@contextmanager
def held(owner: Owner) -> Iterator[Session]:
    """A transaction that holds the account as acts of staff and new passwords do; commits at
    the end."""
    with transaction(owner.accounts.engine) as session:
        session.get_one(User, owner.user.id, with_for_update=True)
        yield session


def wait_until_blocked(owner: Owner) -> None:
    """Until some statement waits for what another transaction holds."""
    deadline = time.monotonic() + BLOCKED_SECONDS
    with owner.accounts.engine.connect() as watcher:
        while not watcher.exec_driver_sql(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ).scalar():
            assert time.monotonic() < deadline, "nothing waits"
            watcher.rollback()


def end_sessions(session: Session) -> None:
    session.execute(update(AuthSession).values(revoked_at=datetime.now(UTC)))


def test_a_passkey_begins_no_session_of_an_account_that_is_being_suspended(
    owners: Owners, accounts: Accounts, pool: ThreadPoolExecutor
) -> None:
    owner = owners.make()
    device, begun = owner.with_passkey(), options(accounts)
    with held(owner) as session:
        session.execute(update(User).values(suspended_at=datetime.now(UTC)))
        end_sessions(session)
        answer = pool.submit(sign_in, accounts, device, begun=begun)
        wait_until_blocked(owner)
    assert code_of(answer.result()) == (403, "suspended")
    with transaction(accounts.engine) as session:
        live = select(func.count()).where(AuthSession.revoked_at.is_(None))
        assert session.scalar(live) == 0


def test_a_passkey_that_is_being_taken_away_signs_nobody_in(
    owners: Owners, accounts: Accounts, pool: ThreadPoolExecutor
) -> None:
    owner = owners.make()
    device, begun = owner.with_passkey(), options(accounts)
    with held(owner) as session:
        answer = pool.submit(sign_in, accounts, device, begun=begun)
        wait_until_blocked(owner)
        session.execute(delete(Passkey))
        end_sessions(session)
    assert code_of(answer.result()) == (401, "passkey_refused")


def test_a_recovery_code_that_is_being_taken_away_proves_nothing(
    owners: Owners, pool: ThreadPoolExecutor
) -> None:
    owner = owners.make()
    _, confirmed = owner.set_up_codes()
    proof = {"recovery_code": confirmed["recovery_codes"][0]}
    with held(owner) as session:
        answer: Future[httpx.Response] = pool.submit(owner.post, "/step-up", proof)
        wait_until_blocked(owner)
        session.execute(delete(TotpSecret))
        session.execute(delete(RecoveryCode))
        end_sessions(session)
    assert code_of(answer.result()) == (401, "session_ended")


def test_a_thief_who_is_signed_out_meanwhile_leaves_no_passkey_behind(
    owners: Owners, pool: ThreadPoolExecutor
) -> None:
    owner = owners.make()
    begun = owner.post("/passkeys/options").json()
    made = Authenticator().create(begun["public_key"])
    wish = {"challenge_id": begun["challenge_id"], "name": "Thief's", "credential": made}
    with held(owner) as session:
        answer: Future[httpx.Response] = pool.submit(owner.post, "/passkeys", wish)
        wait_until_blocked(owner)
        end_sessions(session)
    assert code_of(answer.result()) == (401, "session_ended")
    with transaction(owner.accounts.engine) as session:
        assert session.scalars(select(Passkey)).all() == []
