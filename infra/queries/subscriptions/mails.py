"""Mails to fans, written with what they tell of. They are sent once that is committed."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from domain.auth import MailKind
from domain.ids import derived_id
from domain.subscriptions.notices import Notice
from infra.models import Mail, Subscription, User


def tell_fan(session: Session, subscription: Subscription, notice: Notice, **facts: str) -> None:
    """Mail the fan. Who has no address, or has left, is not told."""
    write_notice(
        session,
        mail_id=derived_id("mail", subscription.id, str(subscription.version)),
        user_id=subscription.fan_id,
        creator_id=subscription.creator_id,
        notice=notice,
        **facts,
    )


def write_notice(
    session: Session,
    *,
    mail_id: str,
    user_id: str,
    creator_id: str,
    notice: Notice,
    **facts: str,
) -> None:
    """One mail of that id. A repeat of its transaction finds that it was not written."""
    reader = session.get_one(User, user_id)
    if reader.email is None or reader.deleted_at is not None:
        return
    creator = session.get_one(User, creator_id)
    mail = Mail(
        id=mail_id,
        user_id=user_id,
        kind=MailKind.SUBSCRIPTION.value,
        address=reader.email,
        facts={"notice": notice.value, "creator": creator.handle, **facts},
    )
    session.add(mail)


def in_words(moment: datetime) -> str:
    """As people write it, in UTC."""
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"
