"""What the sweep of accounts starts and removes, and what it leaves."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.testing import ActivityEnvironment

from activities.accounts import AccountActivities
from activities.parts import WorkerParts
from domain.accounts import Role
from domain.auth import ChallengeKind, MailKind
from domain.ids import mail_workflow_id
from infra.db import transaction
from infra.ids import new_id
from infra.models import (
    AuthChallenge,
    AuthSession,
    Base,
    IdempotencyRecord,
    Mail,
    RefreshToken,
    User,
)
from tests.harness.rows import MakeMedia, MakeUser
from workflows.accounts.messages import AccountsSwept

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


async def sweep(parts: WorkerParts, *, batch: int = 2) -> AccountsSwept:
    """In batches so small that every part takes several."""
    activity = AccountActivities(parts, batch=batch).sweep_accounts
    report: AccountsSwept = await ActivityEnvironment().run(activity)
    return report


def add(engine: Engine, *rows: Base) -> None:
    for row in rows:
        with transaction(engine) as session:
            session.add(row)


def mail_to(user: User, **columns: Any) -> Mail:
    values: dict[str, Any] = {"kind": MailKind.VERIFY_EMAIL.value, "address": "a@example.com"}
    return Mail(id=new_id(), user_id=user.id, **(values | columns))


def count(engine: Engine, table: type[Base]) -> int:
    with transaction(engine) as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def unverified(make_user: MakeUser, *, days: float, **columns: Any) -> User:
    values: dict[str, Any] = {
        "email": f"{new_id()}@example.com",
        "created_at": NOW - days * DAY,
    }
    return make_user(**(values | columns))


async def test_mails_that_a_crash_left_unsent_are_started(
    media_parts: WorkerParts, temporal_client: Client, engine: Engine, make_user: MakeUser
) -> None:
    user, minutes_ago = make_user(), NOW - timedelta(minutes=2)
    unsent = [mail_to(user, created_at=minutes_ago) for _ in range(3)]
    others = [
        mail_to(user, created_at=minutes_ago, sent_at=NOW),
        mail_to(user, created_at=minutes_ago, given_up_at=NOW, given_up_reason="550"),
        mail_to(user, created_at=datetime.now(UTC)),
    ]
    add(engine, *unsent, *others)
    assert (await sweep(media_parts)).started_mails == 3
    assert (await sweep(media_parts)).started_mails == 3, "found again, and not begun twice"
    for mail in unsent:
        run = temporal_client.get_workflow_handle(mail_workflow_id(mail.id))
        assert (await run.describe()).status is WorkflowExecutionStatus.RUNNING
        await run.terminate()


async def test_accounts_that_nobody_has_verified_in_time_free_their_handles(
    media_parts: WorkerParts, engine: Engine, make_user: MakeUser
) -> None:
    late = [unverified(make_user, days=8, handle=f"late-{number}") for number in range(3)]
    add(engine, *(mail_to(user, sent_at=NOW) for user in late))
    kept = [
        unverified(make_user, days=6),
        unverified(make_user, days=8, email_verified_at=NOW),
        unverified(make_user, days=8, role=Role.ADMIN),
        make_user(created_at=NOW - 8 * DAY),
    ]
    assert (await sweep(media_parts)).removed_accounts == 3
    with transaction(engine) as session:
        assert set(session.scalars(select(User.id))) == {user.id for user in kept}
    assert make_user(handle="late-0").handle == "late-0"


async def test_an_account_that_somebody_is_verifying_is_left_to_them(
    media_parts: WorkerParts, engine: Engine, make_user: MakeUser
) -> None:
    user = unverified(make_user, days=8)
    with transaction(engine) as session:
        session.get_one(User, user.id, with_for_update=True)
        assert (await sweep(media_parts)).removed_accounts == 0
    assert (await sweep(media_parts)).removed_accounts == 1


async def test_an_account_that_owns_more_than_it_should_stays_and_bars_no_other(
    media_parts: WorkerParts, engine: Engine, make_user: MakeUser, make_media: MakeMedia
) -> None:
    odd = unverified(make_user, days=9)
    make_media(owner=odd)
    unverified(make_user, days=8)
    assert (await sweep(media_parts)).removed_accounts == 1
    with transaction(engine) as session:
        assert list(session.scalars(select(User.id))) == [odd.id]


async def test_a_waiting_mail_is_kept_however_old(
    media_parts: WorkerParts, temporal_client: Client, engine: Engine, make_user: MakeUser
) -> None:
    waiting = mail_to(make_user(), created_at=NOW - 40 * DAY)
    add(engine, waiting)
    assert (await sweep(media_parts)).removed_mails == 0
    await temporal_client.get_workflow_handle(mail_workflow_id(waiting.id)).terminate()


@pytest.fixture
def old_and_young(engine: Engine, make_user: MakeUser) -> None:
    """Three of each kind that have had their time, and one that has not."""
    user = make_user()
    young = AuthSession(id=new_id(), user_id=user.id, expires_at=NOW - 29 * DAY)
    add(engine, young)
    for number in range(4):
        is_old = number < 3
        old = AuthSession(id=new_id(), user_id=user.id, expires_at=NOW - 31 * DAY)
        add(engine, *([old] if is_old else []))
        add(
            engine,
            mail_to(user, sent_at=NOW, created_at=NOW - (31 if is_old else 29) * DAY),
            AuthChallenge(
                id=new_id(),
                kind=ChallengeKind.SECOND_FACTOR.value,
                user_id=user.id,
                challenge=b"x",
                expires_at=NOW + (-1 if is_old else 1) * timedelta(hours=1),
            ),
            RefreshToken(
                token_hash=os.urandom(32),
                session_id=young.id,
                used_at=NOW - (31 if is_old else 29) * DAY,
            ),
            IdempotencyRecord(
                scope=user.id,
                key=f"key-{number}",
                operation="x",
                request_hash=b"x",
                created_at=NOW - (2 if is_old else 0) * DAY,
                locked_until=NOW,
            ),
        )
    add(engine, RefreshToken(token_hash=os.urandom(32), session_id=young.id))


@pytest.mark.usefixtures("old_and_young")
async def test_what_has_had_its_time_goes_and_the_rest_stays(
    media_parts: WorkerParts, engine: Engine
) -> None:
    assert await sweep(media_parts) == AccountsSwept(
        removed_mails=3,
        removed_challenges=3,
        removed_sessions=3,
        removed_refresh_tokens=3,
        removed_idempotency_keys=3,
    )
    left = {table: count(engine, table) for table in (Mail, AuthChallenge, AuthSession)}
    assert set(left.values()) == {1}
    assert count(engine, RefreshToken) == 2, "one used lately, and the one that is in use"
    assert count(engine, IdempotencyRecord) == 1
    assert await sweep(media_parts) == AccountsSwept()
