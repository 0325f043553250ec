"""Lots as postings need them, the oldest first, and what a creator owes, which lots pay.

Inside the caller's transaction, under the lock of the creator's money.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Executable, Row, func, select
from sqlalchemy.orm import Session

from domain.errors import NotFound
from domain.ledger.accounts import AccountKind, JournalDraft
from domain.ledger.lots import Lot, Parts, Standing
from domain.ledger.payouts import pay_debt
from infra.models import EarningLot
from infra.queries.ledger.posting import (
    Occasion,
    balance_of,
    body_hash,
    lock_creator_money,
    post,
)

_LOT = (
    EarningLot.id,
    EarningLot.creator_id,
    EarningLot.currency,
    EarningLot.tax_minor,
    EarningLot.commission_minor,
    EarningLot.amount_minor,
    EarningLot.released_at,
    EarningLot.returned_tax_minor,
    EarningLot.returned_commission_minor,
    EarningLot.returned_share_minor,
    EarningLot.refunded_minor,
    EarningLot.reserved_minor,
    EarningLot.paid_out_minor,
    EarningLot.held_minor,
    EarningLot.debt_paid_minor,
)


def lot_from(row: Row[Any]) -> Lot:
    return Lot(
        id=row.id,
        creator_id=row.creator_id,
        currency=row.currency,
        sale=Parts(row.tax_minor, row.commission_minor, row.amount_minor),
        released=row.released_at is not None,
        returned=Parts(
            row.returned_tax_minor, row.returned_commission_minor, row.returned_share_minor
        ),
        refunded_minor=row.refunded_minor,
        reserved_minor=row.reserved_minor,
        paid_out_minor=row.paid_out_minor,
        held_minor=row.held_minor,
        debt_paid_minor=row.debt_paid_minor,
    )


def _lots(session: Session, wanted: Executable) -> list[Lot]:
    return [lot_from(row) for row in session.execute(wanted)]


def lock_charge(session: Session, charge_id: str) -> Lot:
    """The lot of a charge, with its creator's money locked.

    Raises:
        NotFound: `sale_unknown`; no sale of this charge was posted.
    """
    own = select(*_LOT).where(EarningLot.id == charge_id)
    creator_id = session.scalar(select(EarningLot.creator_id).where(EarningLot.id == charge_id))
    if creator_id is None:
        raise NotFound(
            "No sale of this charge was posted.", code="sale_unknown", charge_id=charge_id
        )
    lock_creator_money(session, creator_id)
    return _lots(session, own)[0]


def available_lots(
    session: Session, *, creator_id: str, currency: str, needed_minor: int
) -> list[Lot]:
    """The oldest lots from which something can be taken, as many as hold the amount or all."""
    before = func.sum(EarningLot.remaining_minor).over(
        order_by=(EarningLot.available_at, EarningLot.id), rows=(None, -1)
    )
    running = (
        select(*_LOT, EarningLot.available_at, func.coalesce(before, 0).label("before_minor"))
        .where(
            EarningLot.creator_id == creator_id,
            EarningLot.currency == currency,
            EarningLot.released_at.is_not(None),
            EarningLot.remaining_minor > 0,
        )
        .subquery()
    )
    wanted = (
        select(running)
        .where(running.c.before_minor < needed_minor)
        .order_by(running.c.available_at, running.c.id)
    )
    return _lots(session, wanted)


def due_lots(session: Session, *, creator_id: str, at: datetime) -> list[Lot]:
    """Lots whose wait is over and that are still pending, of every currency."""
    return _lots(
        session,
        select(*_LOT)
        .where(
            EarningLot.creator_id == creator_id,
            EarningLot.released_at.is_(None),
            EarningLot.available_at <= at,
        )
        .order_by(EarningLot.currency, EarningLot.available_at, EarningLot.id),
    )


def standing_for(session: Session, first: JournalDraft) -> Standing:
    """How the creator of a journal stands, to give back what that journal took."""
    assert first.creator_id is not None
    debt = -balance_of(
        session, AccountKind.DEBT, currency=first.currency, creator_id=first.creator_id
    )
    taken_from = EarningLot.id.in_({each.lot_id for each in first.movements})
    has_paid = EarningLot.debt_paid_minor > 0
    given_back_to = (
        taken_from if -first.entries.get(AccountKind.DEBT, 0) <= debt else taken_from | has_paid
    )
    lots = _lots(
        session,
        select(*_LOT)
        .where(
            EarningLot.creator_id == first.creator_id,
            EarningLot.currency == first.currency,
            given_back_to,
        )
        .order_by(EarningLot.available_at.desc(), EarningLot.id.desc()),
    )
    return Standing(debt, lots)


def settle_debt(
    session: Session, *, creator_id: str, currency: str, cause: str, when: Occasion
) -> int:
    """Pay what the creator owes from what has become available. Never both for long: after
    each operation one of the two is zero.

    Args:
        cause: event key of the journal that made something available.

    Returns:
        how much was paid, in minor units.
    """
    debt = -balance_of(session, AccountKind.DEBT, currency=currency, creator_id=creator_id)
    if debt == 0:
        return 0
    draft = pay_debt(
        cause=cause,
        creator_id=creator_id,
        currency=currency,
        debt_minor=debt,
        available=available_lots(
            session, creator_id=creator_id, currency=currency, needed_minor=debt
        ),
    )
    if draft is None:
        return 0
    post(session, draft, body=body_hash(cause=cause), when=when)
    return draft.entries[AccountKind.DEBT]


def by_currency(lots: Sequence[Lot]) -> dict[str, list[Lot]]:
    """Lots by their currency, in their order."""
    grouped: dict[str, list[Lot]] = {}
    for lot in lots:
        grouped.setdefault(lot.currency, []).append(lot)
    return grouped
