"""What the ledger says: balances, the trial balance, statements, lots, and Stripe's side.

For an async session: `await session.run_sync(lambda s: balances_of(s, creator_id))`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, text, tuple_
from sqlalchemy.orm import Session

from domain.ledger.accounts import AccountKind, OwnerType
from infra.models import AccountBalance, EarningLot, Journal, JournalEntry, LedgerAccount


@dataclass(frozen=True, slots=True)
class Balances:
    """A creator's accounts in one currency, in minor units. `debt_minor` is <= 0."""

    currency: str
    pending_minor: int = 0
    available_minor: int = 0
    reserve_minor: int = 0
    dispute_hold_minor: int = 0
    payout_in_flight_minor: int = 0
    debt_minor: int = 0


def balances_of(session: Session, creator_id: str) -> list[Balances]:
    """For each currency in which something was ever posted, by its code."""
    rows = session.execute(
        select(LedgerAccount.currency, LedgerAccount.kind, AccountBalance.posted_minor)
        .join(AccountBalance, AccountBalance.account_id == LedgerAccount.id)
        .where(LedgerAccount.owner_type == OwnerType.CREATOR, LedgerAccount.owner_id == creator_id)
        .order_by(LedgerAccount.currency)
    )
    found: dict[str, dict[str, int]] = {}
    for currency, kind, posted in rows:
        found.setdefault(currency, {})[f"{kind}_minor"] = posted
    return [Balances(currency, **amounts) for currency, amounts in found.items()]


@dataclass(frozen=True, slots=True)
class TrialLine:
    kind: AccountKind
    currency: str
    accounts: int
    posted_minor: int


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """All accounts, summed by kind and currency; each currency's sum has to be zero."""

    lines: tuple[TrialLine, ...]

    @property
    def sums(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for line in self.lines:
            found[line.currency] = found.get(line.currency, 0) + line.posted_minor
        return found


def trial_balance(session: Session) -> TrialBalance:
    """By currency, then by kind."""
    rows = session.execute(
        select(
            LedgerAccount.kind,
            LedgerAccount.currency,
            func.count(),
            func.sum(AccountBalance.posted_minor),
        )
        .join(AccountBalance, AccountBalance.account_id == LedgerAccount.id)
        .group_by(LedgerAccount.currency, LedgerAccount.kind)
        .order_by(LedgerAccount.currency, LedgerAccount.kind)
    )
    return TrialBalance(
        tuple(
            TrialLine(AccountKind(kind), currency, count, int(posted))
            for kind, currency, count, posted in rows
        )
    )


@dataclass(frozen=True, slots=True)
class StatementLine:
    """What one journal did to a creator's accounts, in minor units.

    Of a sale, refund or lost dispute `gross_minor` is what the fan paid (refunds below zero),
    and `tax_minor` and `commission_minor` what of it is not the creator's.
    """

    journal_id: str
    event_key: str
    kind: str
    at: datetime
    charge_id: str | None
    source: str | None
    """Of the charge: subscription, unlock, tip or gift."""
    currency: str
    gross_minor: int
    tax_minor: int
    commission_minor: int
    pending_minor: int
    available_minor: int
    dispute_hold_minor: int
    payout_in_flight_minor: int
    debt_minor: int

    @property
    def change_minor(self) -> int:
        """By how much what the creator has, or is owed, has grown."""
        return (
            self.pending_minor
            + self.available_minor
            + self.dispute_hold_minor
            + self.payout_in_flight_minor
            + self.debt_minor
        )


_STATEMENT = text("""
    SELECT j.id, j.event_key, j.kind, j.effective_at AS at, j.charge_id, l.source, e.currency,
           e.pending, e.available, e.dispute_hold, e.payout_in_flight, e.debt, e.tax, e.commission
    FROM journals j
    CROSS JOIN LATERAL (
        SELECT e.currency,
            coalesce(sum(e.amount_minor) FILTER (WHERE a.kind = 'pending'), 0) AS pending,
            coalesce(sum(e.amount_minor) FILTER (WHERE a.kind = 'available'), 0) AS available,
            coalesce(sum(e.amount_minor) FILTER (WHERE a.kind = 'dispute_hold'), 0)
                AS dispute_hold,
            coalesce(sum(e.amount_minor) FILTER (WHERE a.kind = 'payout_in_flight'), 0)
                AS payout_in_flight,
            coalesce(sum(e.amount_minor) FILTER (WHERE a.kind = 'debt'), 0) AS debt,
            coalesce(sum(e.amount_minor) FILTER (WHERE a.kind = 'tax_payable'), 0) AS tax,
            coalesce(sum(e.amount_minor) FILTER (WHERE a.kind = 'commission'), 0) AS commission,
            bool_or(a.owner_type = 'creator') AS touched
        FROM journal_entries e JOIN ledger_accounts a ON a.id = e.account_id
        WHERE e.journal_id = j.id GROUP BY e.currency
    ) e
    LEFT JOIN earning_lots l ON l.id = j.charge_id
    WHERE j.creator_id = :creator_id AND j.effective_at >= :start AND j.effective_at < :end
      AND e.touched
    ORDER BY j.effective_at, j.position
""")


def statement_lines(
    session: Session, creator_id: str, *, start: datetime, end: datetime
) -> list[StatementLine]:
    """What happened to a creator's money from `start` until before `end`, in order.

    Journals that concern the platform's accounts only (a payout's transfer) are left out.
    """
    rows = session.execute(_STATEMENT, {"creator_id": creator_id, "start": start, "end": end})
    lines = []
    for row in rows:
        creators = [
            int(amount)
            for amount in (
                row.pending,
                row.available,
                row.dispute_hold,
                row.payout_in_flight,
                row.debt,
            )
        ]
        tax, commission = int(row.tax), int(row.commission)
        with_fan = row.kind in ("sale", "refund", "refund_failed", "dispute_lost")
        lines.append(
            StatementLine(
                row.id,
                row.event_key,
                row.kind,
                row.at,
                row.charge_id,
                row.source,
                row.currency,
                tax + commission + sum(creators) if with_fan else 0,
                tax,
                commission,
                *creators,
            )
        )
    return lines


def opening_balances(session: Session, creator_id: str, *, before: datetime) -> list[Balances]:
    """As `balances_of`, of what took effect before a moment: where a statement begins."""
    rows = session.execute(
        select(LedgerAccount.currency, LedgerAccount.kind, func.sum(JournalEntry.amount_minor))
        .join(JournalEntry, JournalEntry.account_id == LedgerAccount.id)
        .join(Journal, Journal.id == JournalEntry.journal_id)
        .where(
            LedgerAccount.owner_type == OwnerType.CREATOR,
            LedgerAccount.owner_id == creator_id,
            Journal.effective_at < before,
        )
        .group_by(LedgerAccount.currency, LedgerAccount.kind)
        .order_by(LedgerAccount.currency)
    )
    found: dict[str, dict[str, int]] = {}
    for currency, kind, posted in rows:
        found.setdefault(currency, {})[f"{kind}_minor"] = int(posted)
    return [Balances(currency, **amounts) for currency, amounts in found.items()]


def lots_of(
    session: Session,
    creator_id: str,
    *,
    limit: int,
    before: tuple[datetime, str] | None = None,
) -> Sequence[EarningLot]:
    """A creator's lots, the newest first.

    Args:
        before: `(earned_at, id)` of the last lot of the page before.
    """
    wanted = (
        select(EarningLot)
        .where(EarningLot.creator_id == creator_id)
        .order_by(EarningLot.earned_at.desc(), EarningLot.id.desc())
        .limit(limit)
        .execution_options(populate_existing=True)
    )
    if before is not None:
        wanted = wanted.where(tuple_(EarningLot.earned_at, EarningLot.id) < before)
    return session.scalars(wanted).all()


@dataclass(frozen=True, slots=True)
class Cleared:
    """What Stripe's balance has gained by one of its objects, as the ledger says.

    It has to equal the sum of the net of Stripe's balance transactions with this source.
    """

    stripe_ref: str
    currency: str
    net_minor: int


_CLEARED = """
    SELECT j.stripe_ref, e.currency, -sum(e.amount_minor) AS net
    FROM journals j
    JOIN journal_entries e ON e.journal_id = j.id
    JOIN ledger_accounts a ON a.id = e.account_id AND a.kind = 'stripe_clearing'
    WHERE {}
    GROUP BY j.stripe_ref, e.currency ORDER BY j.stripe_ref, e.currency
"""
_CLEARED_BETWEEN = text(
    _CLEARED.format("""j.stripe_ref IN (
        SELECT k.stripe_ref FROM journals k
        WHERE k.effective_at >= :start AND k.effective_at < :end AND k.stripe_ref IS NOT NULL
    )""")
)
_CLEARED_OF = text(_CLEARED.format("j.stripe_ref = ANY(CAST(:refs AS text[]))"))


def clearing_by_stripe_ref(session: Session, *, start: datetime, end: datetime) -> list[Cleared]:
    """Of every object of Stripe for which something took effect from `start` until before
    `end`: all that was ever posted for it, so that a fee told a day later does not look like
    a difference."""
    rows = session.execute(_CLEARED_BETWEEN, {"start": start, "end": end})
    return [Cleared(row.stripe_ref, row.currency, int(row.net)) for row in rows]


def clearing_of_refs(session: Session, stripe_refs: Sequence[str]) -> list[Cleared]:
    """As `clearing_by_stripe_ref`, of the objects named; unknown ones are left out."""
    rows = session.execute(_CLEARED_OF, {"refs": list(stripe_refs)})
    return [Cleared(row.stripe_ref, row.currency, int(row.net)) for row in rows]
