"""Mails about payouts, written with what they speak of. The sweep of accounts sends them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from domain.auth import MailKind
from domain.ids import derived_id
from domain.money import Money
from domain.payouts.eligibility import SENTENCES
from infra.models import ConnectedAccount, Mail, Payout, User

_WHY = {
    **{refusal.value: sentence for refusal, sentence in SENTENCES.items()},
    "rejected_by_staff": "Our staff did not let it go. Please ask us why.",
    "transfer_refused": "Your payout account does not take it. Please look at what it lacks.",
    "payout_refused": "Your bank account does not take it. Please look at your bank details.",
}
_SENT_BACK = "Your bank sent it back. Please look at your bank details."
_BACK = "The amount is available again."


def tell_of_payout(session: Session, payout: Payout, kind: MailKind, *, at: datetime) -> None:
    """Once for each payout and kind. Who has no verified address is told nothing."""
    assert payout.amount_minor is not None
    why = _WHY.get(payout.reason or "", _SENT_BACK)
    _write_once(
        session,
        payout.creator_id,
        kind,
        mail_id=derived_id("mail", payout.id, kind),
        facts={
            "amount": Money(payout.amount_minor, payout.currency).formatted,
            "why": f"{why} {_BACK}",
        },
        at=at,
    )


def tell_of_account(session: Session, account: ConnectedAccount, *, at: datetime) -> None:
    """Once until the account lacks nothing any more."""
    if account.told_at is not None:
        return
    account.told_at = at
    _write_once(
        session,
        account.creator_id,
        MailKind.PAYOUT_ACCOUNT,
        mail_id=derived_id("mail", account.account_id, at.isoformat()),
        facts={},
        at=at,
    )


def _write_once(
    session: Session,
    user_id: str,
    kind: MailKind,
    *,
    mail_id: str,
    facts: dict[str, str],
    at: datetime,
) -> None:
    user = session.get_one(User, user_id)
    if user.email is None or user.email_verified_at is None or user.deleted_at is not None:
        return
    row = insert(Mail).values(
        id=mail_id, user_id=user_id, kind=kind.value, address=user.email, facts=facts, created_at=at
    )
    session.execute(row.on_conflict_do_nothing())
