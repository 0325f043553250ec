"""Mails: written with the act they speak of, and their tokens taken once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.auth import MailKind
from domain.errors import Gone
from domain.mails import link_invalid, read_mail_token
from infra.ids import new_id
from infra.models import Mail


async def write_mail(
    session: AsyncSession,
    *,
    user_id: str,
    kind: MailKind,
    address: str,
    facts: Mapping[str, str] | None = None,
    expires_at: datetime | None = None,
) -> Mail:
    """A mail to be sent once the caller's transaction is committed (`begin_mail`).

    Args:
        facts: what its text names, as `domain/mails.py` lists it. Never a secret.
        expires_at: of its token, where it carries one; after that it is not sent either.
    """
    mail = Mail(
        id=new_id(),
        user_id=user_id,
        kind=kind.value,
        address=address,
        facts=dict(facts or {}),
        expires_at=expires_at,
    )
    session.add(mail)
    await session.flush()
    return mail


async def void_mail_tokens(
    session: AsyncSession, user_id: str, kind: MailKind, *, now: datetime
) -> None:
    """Links of this kind that somebody was mailed before count no more."""
    await session.execute(
        update(Mail)
        .where(Mail.user_id == user_id, Mail.kind == kind, Mail.used_at.is_(None))
        .values(used_at=now)
    )


async def take_mail_token(
    session: AsyncSession, *, token: str, kind: MailKind, key: bytes, now: datetime
) -> Mail:
    """Use up a token: the row is locked, so that of two requests one takes it.

    Raises:
        Invalid: `link_invalid`.
        Gone: `link_used` or `link_expired`.
    """
    mail_id = read_mail_token(token, kind=kind, key=key)
    mail: Mail | None = await session.scalar(
        select(Mail).where(Mail.id == mail_id, Mail.kind == kind.value).with_for_update()
    )
    if mail is None:
        raise link_invalid()
    if mail.used_at is not None:
        raise Gone("This link was used already.", code="link_used")
    if mail.expires_at is not None and mail.expires_at <= now:
        raise Gone("This link has expired. Ask for a new one.", code="link_expired")
    mail.used_at = now
    return mail
