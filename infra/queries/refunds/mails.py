"""Mails about refunds and disputes, written with what they speak of. The sweep of accounts sends
them. Each is written once; who has no verified address is told nothing."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from domain.auth import MailKind
from domain.ids import derived_id
from domain.money import Money
from domain.refunds import Requester
from infra.models import Charge, Dispute, Mail, Refund, User


def tell_of_refund(session: Session, charge: Charge, refund: Refund, *, at: datetime) -> None:
    """The fan, and the creator where it was not they who asked for it."""
    amount = Money(refund.amount_minor, refund.currency).formatted
    creator = session.get_one(User, charge.creator_id)
    write_once(
        session,
        charge.fan_id,
        MailKind.REFUND,
        of=(refund.id, "made"),
        facts={"state": "made", "amount": amount, "creator": creator.handle},
        at=at,
    )
    if refund.requested_as != Requester.CREATOR:
        write_once(
            session,
            charge.creator_id,
            MailKind.SALE_REFUNDED,
            of=(refund.id,),
            facts={"amount": amount},
            at=at,
        )


def tell_of_failed_refund(
    session: Session, charge: Charge, refund: Refund, *, at: datetime
) -> None:
    write_once(
        session,
        charge.fan_id,
        MailKind.REFUND,
        of=(refund.id, "failed"),
        facts={
            "state": "failed",
            "amount": Money(refund.amount_minor, refund.currency).formatted,
        },
        at=at,
    )


def tell_of_dispute(
    session: Session, charge: Charge, dispute: Dispute, state: str, *, at: datetime
) -> None:
    """The creator. `state`: `opened`, `won` or `lost`."""
    write_once(
        session,
        charge.creator_id,
        MailKind.DISPUTE,
        of=(dispute.id, state),
        facts={
            "state": state,
            "amount": Money(dispute.amount_minor, dispute.currency).formatted,
        },
        at=at,
    )


def write_once(
    session: Session,
    user_id: str,
    kind: MailKind,
    *,
    of: tuple[str, ...],
    facts: dict[str, str],
    at: datetime,
) -> None:
    """One mail for each kind and subject (`of`), however often it is written."""
    user = session.get_one(User, user_id)
    if user.email is None or user.email_verified_at is None or user.deleted_at is not None:
        return
    row = insert(Mail).values(
        id=derived_id("mail", kind, *of),
        user_id=user_id,
        kind=kind.value,
        address=user.email,
        facts=facts,
        created_at=at,
    )
    session.execute(row.on_conflict_do_nothing())
