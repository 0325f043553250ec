"""One mail to the mail server, and word of it in its row."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import structlog
from sqlalchemy import Engine, update

from activities.errors import typed_failures
from domain.auth import MailKind
from domain.letters import MailFacts, letter_for
from infra.db import transaction
from infra.mail import MailRefused, compose, send
from infra.models import Mail, User
from infra.settings import Settings
from workflows.declarations import implements
from workflows.mail import steps
from workflows.mail.messages import GiveUpMail, MailEnd, MailOrder
from workflows.queues import Queue

log = structlog.get_logger(__name__)


class SendActivities:
    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine

    def on_queues(self) -> dict[Queue, list[Callable[..., Any]]]:
        return {Queue.IO: [self.send_mail, self.give_up_mail]}

    @implements(steps.send_mail)
    async def send_mail(self, order: MailOrder) -> MailEnd:
        """A worker that dies after the server took the mail and before the row says so sends
        it once more, with the same Message-ID. The other order could lose it."""
        with typed_failures():
            written = await asyncio.to_thread(self._write, order.mail_id)
            if isinstance(written, MailEnd):
                return written
            try:
                await send(self._settings, written)
            except MailRefused as error:
                log.warning("mail_refused", mail_id=order.mail_id, status=error.status)
                await asyncio.to_thread(self._give_up, order.mail_id, error.status)
                return MailEnd("refused", error.status)
            await asyncio.to_thread(self._mark_sent, order.mail_id)
            return MailEnd("sent")

    @implements(steps.give_up_mail)
    def give_up_mail(self, order: GiveUpMail) -> None:
        self._give_up(order.mail_id, order.reason)

    def _write(self, mail_id: str) -> EmailMessage | MailEnd:
        """The message, or how it ends without one."""
        now = datetime.now(UTC)
        with transaction(self._engine) as session:
            mail = session.get(Mail, mail_id)
            if mail is None:
                return MailEnd("gone")
            if mail.sent_at is not None:
                return MailEnd("sent")
            if mail.given_up_at is not None:
                return MailEnd("given_up", mail.given_up_reason)
            if mail.expires_at is not None and mail.expires_at <= now:
                mail.given_up_at, mail.given_up_reason = now, "expired"
                return MailEnd("expired")
            facts = MailFacts(
                mail_id=mail.id,
                kind=MailKind(mail.kind),
                handle=session.get_one(User, mail.user_id).handle,
                created_at=mail.created_at,
                expires_at=mail.expires_at,
                facts=mail.facts,
            )
        key = self._settings.url_signing_key_bytes
        letter = letter_for(facts, app_url=self._settings.app_url, key=key)
        return compose(self._settings, mail, letter)

    def _mark_sent(self, mail_id: str) -> None:
        with transaction(self._engine) as session:
            session.execute(
                update(Mail)
                .where(Mail.id == mail_id, Mail.sent_at.is_(None))
                .values(sent_at=datetime.now(UTC))
            )

    def _give_up(self, mail_id: str, reason: str) -> None:
        with transaction(self._engine) as session:
            session.execute(
                update(Mail)
                .where(Mail.id == mail_id, Mail.sent_at.is_(None), Mail.given_up_at.is_(None))
                .values(given_up_at=datetime.now(UTC), given_up_reason=reason)
            )
