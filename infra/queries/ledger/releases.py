"""The end of an earning's wait; debts that are given up; and what holds for a creator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from domain.errors import Conflict, Invalid
from domain.ledger import payouts as rules
from domain.ledger.accounts import AccountKind
from infra.models import EarningLot
from infra.queries.ledger.lots import by_currency, due_lots, settle_debt
from infra.queries.ledger.posting import (
    Occasion,
    Posted,
    balance_of,
    body_hash,
    lock_creator_money,
    post,
    posted_before,
)


@dataclass(frozen=True, slots=True)
class Released:
    """What became available in one currency, and what of it went into a debt at once."""

    currency: str
    amount_minor: int
    debt_paid_minor: int


def creators_due(
    session: Session, *, at: datetime, limit: int, after: str | None = None
) -> Sequence[str]:
    """Creators of whom a pending lot's wait is over, in the order of their ids.

    Args:
        after: the last one of the page before.
    """
    wanted = (
        select(EarningLot.creator_id)
        .where(EarningLot.released_at.is_(None), EarningLot.available_at <= at)
        .distinct()
        .order_by(EarningLot.creator_id)
        .limit(limit)
    )
    if after is not None:
        wanted = wanted.where(EarningLot.creator_id > after)
    return session.scalars(wanted).all()


def release_due(
    session: Session, *, creator_id: str, at: datetime, workflow_id: str | None = None
) -> list[Released]:
    """Make available what has waited long enough; a debt is paid from it first.

    A repeat finds nothing to release and changes nothing.
    """
    lock_creator_money(session, creator_id)
    when = Occasion(at, workflow_id)
    released = []
    for currency, lots in by_currency(due_lots(session, creator_id=creator_id, at=at)).items():
        session.execute(
            update(EarningLot)
            .where(EarningLot.id.in_([lot.id for lot in lots]))
            .values(released_at=at)
        )
        draft = rules.release(lots)
        if draft is None:
            continue
        amount = draft.entries[AccountKind.AVAILABLE]
        post(session, draft, body=body_hash(kind="release", amount_minor=amount), when=when)
        paid = settle_debt(
            session, creator_id=creator_id, currency=currency, cause=draft.event_key, when=when
        )
        released.append(Released(currency, amount, paid))
    return released


def write_off(
    session: Session,
    *,
    write_off_id: str,
    creator_id: str,
    currency: str,
    amount_minor: int,
    at: datetime,
    workflow_id: str | None = None,
) -> Posted:
    """Give up a part of what a creator owes, or all of it.

    Raises:
        Invalid: `write_off_of_nothing`; the amount is not above zero.
        Conflict: `write_off_exceeds_debt`, or `journal_differs`.
    """
    if amount_minor <= 0:
        raise Invalid("Nothing is written off.", code="write_off_of_nothing", amount=amount_minor)
    body = body_hash(
        kind="write_off", creator_id=creator_id, currency=currency, amount_minor=amount_minor
    )
    lock_creator_money(session, creator_id)
    draft = rules.write_off(
        write_off_id=write_off_id,
        creator_id=creator_id,
        currency=currency,
        amount_minor=amount_minor,
    )
    before = posted_before(session, draft.event_key, body)
    if before is not None:
        return before
    owed = -balance_of(session, AccountKind.DEBT, currency=currency, creator_id=creator_id)
    if amount_minor > owed:
        raise Conflict(
            "They owe less than that.",
            code="write_off_exceeds_debt",
            wanted_minor=amount_minor,
            owed_minor=owed,
        )
    return post(session, draft, body=body, when=Occasion(at, workflow_id))


def set_earning_terms(
    session: Session, *, creator_id: str, fee_bps: int | None, hold_days: int | None
) -> None:
    """Agree on a creator's own fee and wait, for sales from now on; None: the defaults."""
    money = lock_creator_money(session, creator_id)
    money.fee_bps, money.hold_days = fee_bps, hold_days


def set_post_price_max(session: Session, *, creator_id: str, most_minor: int | None) -> None:
    """Agree on what a creator's posts may cost at most; None: what holds for all."""
    lock_creator_money(session, creator_id).post_price_minor_max = most_minor


def set_payouts_blocked(session: Session, *, creator_id: str, reason: str | None) -> None:
    """Block a creator's payouts for this reason; None: not any more."""
    lock_creator_money(session, creator_id).payouts_blocked_reason = reason
