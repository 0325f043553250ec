"""The sweep of accounts: what a crash left unsent, and what has had its time.

Each part is a row of short transactions, so that nothing waits long for its locks, and a
failure in the middle leaves the rest to the next tick.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Engine, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute

from activities.errors import typed_failures
from activities.parts import WorkerParts
from domain.accounts import Role
from infra.db import transaction
from infra.models import AuthChallenge, AuthSession, IdempotencyRecord, Mail, RefreshToken, User
from workflows.accounts import steps
from workflows.accounts.messages import AccountsSwept
from workflows.declarations import implements
from workflows.mail.start import start_mail
from workflows.queues import Queue

log = structlog.get_logger(__name__)

BATCH = 500
UNSTARTED_AFTER = timedelta(minutes=1)
"""A mail unsent for so long should have a run that sends it."""
KEPT = timedelta(days=30)
"""Mails, ended sessions and used refresh tokens, to answer questions about them. A token that
is older is refused all the same, only not recognised as one that was stolen."""


class AccountActivities:
    """What the schedule asks for."""

    def __init__(self, parts: WorkerParts, *, batch: int = BATCH) -> None:
        self._parts = parts
        self._batch = batch

    def on_queues(self) -> dict[Queue, list[Callable[..., Any]]]:
        return {Queue.IO: [self.sweep_accounts]}

    @implements(steps.sweep_accounts)
    async def sweep_accounts(self) -> AccountsSwept:
        with typed_failures():
            now = datetime.now(UTC)
            started = await self._start_unsent(now)
            report = await asyncio.to_thread(self._remove, now, started)
        log.info("accounts_swept", **vars(report))
        return report

    async def _start_unsent(self, now: datetime) -> int:
        """Also mails whose runs go on or wait for an operator: asking for those again finds
        the run, and costs less than looking first whether it is there."""
        started = 0
        async for mail_id in self._unsent(before=now - UNSTARTED_AFTER):
            await start_mail(
                self._parts.temporal,
                mail_id,
                queue_prefix=self._parts.settings.task_queue_prefix,
            )
            started += 1
        return started

    async def _unsent(self, *, before: datetime) -> AsyncIterator[str]:
        last: str | None = None
        while True:
            further = [] if last is None else [Mail.id > last]
            wanted = (
                select(Mail.id)
                .where(
                    Mail.sent_at.is_(None),
                    Mail.given_up_at.is_(None),
                    Mail.created_at < before,
                    *further,
                )
                .order_by(Mail.id)
                .limit(self._batch)
            )
            ids = await asyncio.to_thread(_ids, self._parts.engine, wanted)
            for mail_id in ids:
                yield mail_id
            if len(ids) < self._batch:
                return
            last = ids[-1]

    def _remove(self, now: datetime, started: int) -> AccountsSwept:
        idempotency = timedelta(seconds=self._parts.settings.idempotency_ttl_seconds)
        return AccountsSwept(
            started_mails=started,
            removed_accounts=self._remove_unverified(now),
            # What still waits to be sent, or for an operator, is not old.
            removed_mails=self._delete(
                Mail.id,
                Mail.created_at < now - KEPT,
                Mail.sent_at.is_not(None) | Mail.given_up_at.is_not(None),
            ),
            removed_challenges=self._delete(AuthChallenge.id, AuthChallenge.expires_at < now),
            removed_sessions=self._delete(AuthSession.id, AuthSession.expires_at < now - KEPT),
            removed_refresh_tokens=self._delete(
                RefreshToken.token_hash, RefreshToken.used_at < now - KEPT
            ),
            removed_idempotency_keys=self._delete(
                IdempotencyRecord.created_at, IdempotencyRecord.created_at < now - idempotency
            ),
        )

    def _delete(self, key: InstrumentedAttribute[Any], *conditions: ColumnElement[bool]) -> int:
        """All rows under these conditions, a batch a transaction."""
        removed = 0
        while True:
            batch = select(key).where(*conditions).order_by(key).limit(self._batch)
            with transaction(self._parts.engine) as session:
                gone = session.scalars(
                    delete(key.class_).where(key.in_(batch), *conditions).returning(key)
                ).all()
            removed += len(gone)
            if len(gone) < self._batch:
                return removed

    def _remove_unverified(self, now: datetime) -> int:
        """Accounts whose address nobody has shown to be theirs in time. Nobody could sign in
        to them, so all they own is mails; their handles are free again."""
        days = timedelta(days=self._parts.settings.unverified_account_days)
        overdue = (
            User.email.is_not(None),
            User.email_verified_at.is_(None),
            User.created_at < now - days,
            User.role == Role.FAN.value,
        )
        wanted = select(User.id).where(*overdue).order_by(User.created_at)
        removed = 0
        for user_id in _ids(self._parts.engine, wanted):
            try:
                removed += self._remove_account(user_id, overdue)
            except IntegrityError as error:
                log.warning("account_kept", user_id=user_id, why=str(error.orig).strip())
        return removed

    def _remove_account(self, user_id: str, overdue: tuple[ColumnElement[bool], ...]) -> bool:
        """False where its address was verified, or somebody is about to, since we looked."""
        with transaction(self._parts.engine) as session:
            user = session.scalar(
                select(User).where(User.id == user_id, *overdue).with_for_update(skip_locked=True)
            )
            if user is None:
                return False
            for owned in (Mail, AuthChallenge, AuthSession):
                session.execute(delete(owned).where(owned.user_id == user_id))
            session.execute(delete(User).where(User.id == user_id))
            return True


def _ids(engine: Engine, wanted: Any) -> list[str]:
    with transaction(engine) as session:
        return list(session.scalars(wanted))
