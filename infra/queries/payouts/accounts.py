"""Creators' accounts at Stripe, as they were read last."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from infra.models import ConnectedAccount
from infra.stripe.objects import Account


def account_id_of(session: Session, creator_id: str) -> str | None:
    """`acct_…`, or None where the creator has no account yet."""
    return session.scalar(
        select(ConnectedAccount.account_id).where(ConnectedAccount.creator_id == creator_id)
    )


def keep_account(
    session: Session, creator_id: str, account: Account, *, at: datetime
) -> ConnectedAccount:
    """Write down how an account stands. What was read earlier does not replace it, and neither
    does another account: a creator keeps the first one.

    Returns:
        the creator's row, locked.
    """
    facts = {
        "charges_enabled": account.charges_enabled,
        "payouts_enabled": account.payouts_enabled,
        "transfers_enabled": account.transfers_active,
        "details_submitted": account.details_submitted,
        "requirements_due": list(account.requirements_due),
        "disabled_reason": account.disabled_reason,
        "country": account.country,
        "default_currency": account.default_currency,
        "updated_at": at,
    }
    row = insert(ConnectedAccount).values(
        creator_id=creator_id, account_id=account.id, created_at=at, **facts
    )
    session.execute(
        row.on_conflict_do_update(
            index_elements=[ConnectedAccount.creator_id],
            set_=facts,
            where=(ConnectedAccount.account_id == account.id) & (ConnectedAccount.updated_at <= at),
        )
    )
    return session.get_one(
        ConnectedAccount, creator_id, with_for_update=True, populate_existing=True
    )


def is_ready(account: ConnectedAccount) -> bool:
    """Can it be paid out to, and is nothing asked for?"""
    return (
        account.details_submitted
        and account.payouts_enabled
        and account.transfers_enabled
        and not account.requirements_due
    )
