"""Mails: starting the run that sends one whose row is committed, and links that are asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from api.parts import Parts
from domain.auth import MailKind
from infra.db import async_transaction
from infra.models import User
from infra.queries.auth.accounts import was_mailed_lately
from infra.queries.auth.mails import write_mail
from workflows.mail.start import start_mail

MAIL_PAUSE = timedelta(minutes=1)
"""Nobody's inbox is filled by asking again and again."""


async def begin_mail(parts: Parts, mail_id: str) -> bool:
    """Start sending; False where the sweep will have to."""
    start = start_mail(parts.temporal, mail_id, queue_prefix=parts.settings.task_queue_prefix)
    return await parts.starter.begin(start, what="mail", mail_id=mail_id)


async def mail_link(
    parts: Parts,
    email: str,
    *,
    find: Callable[[AsyncSession, str], Awaitable[User | None]],
    kind: MailKind,
    ttl_seconds: int,
) -> None:
    """Mail a link to whom `find` finds by the address, unless they had one a moment ago.

    For after the answer, so that it takes as long whatever is known of the address.
    """
    now = parts.now()
    async with async_transaction(parts.engine) as session:
        user = await find(session, email)
        if user is None or await was_mailed_lately(
            session, user.id, kind, now=now, within=MAIL_PAUSE
        ):
            return
        mail = await write_mail(
            session,
            user_id=user.id,
            kind=kind,
            address=user.email or email,
            expires_at=now + timedelta(seconds=ttl_seconds),
        )
    await begin_mail(parts, mail.id)
