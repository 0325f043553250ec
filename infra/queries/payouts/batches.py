"""Weekly batches: who has something available, and why somebody got nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from domain.ledger.accounts import AccountKind
from domain.payouts.eligibility import Refused
from infra.models import AccountBalance, LedgerAccount, PayoutBatch, PayoutSkip


def begin_batch(session: Session, day: date, *, at: datetime) -> None:
    row = insert(PayoutBatch).values(day=day, started_at=at)
    session.execute(row.on_conflict_do_nothing())


def end_batch(session: Session, day: date, *, at: datetime) -> None:
    session.execute(
        update(PayoutBatch)
        .where(PayoutBatch.day == day, PayoutBatch.finished_at.is_(None))
        .values(finished_at=at)
    )


def with_something_available(
    session: Session, *, after: tuple[str, str] | None, limit: int
) -> Sequence[tuple[str, str]]:
    """Creator and currency of each balance that is available, in this order.

    Args:
        after: the last one of the page before.
    """
    account = LedgerAccount
    wanted = (
        select(account.owner_id, account.currency)
        .join(AccountBalance, AccountBalance.account_id == account.id)
        .where(account.kind == AccountKind.AVAILABLE.value, AccountBalance.posted_minor > 0)
        .order_by(account.owner_id, account.currency)
        .limit(limit)
    )
    if after is not None:
        wanted = wanted.where(tuple_(account.owner_id, account.currency) > after)
    return [(owner_id, currency) for owner_id, currency in session.execute(wanted) if owner_id]


def note_skip(
    session: Session, day: date, *, creator_id: str, currency: str, refused: Refused
) -> None:
    """Why there is no payout in this batch; the first word counts."""
    row = insert(PayoutSkip).values(
        batch_day=day,
        creator_id=creator_id,
        currency=currency,
        reason=refused.reason.value,
        facts=dict(refused.facts),
    )
    session.execute(row.on_conflict_do_nothing())
