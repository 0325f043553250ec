"""Monthly statements and yearly totals, from the ledger's journals."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from domain.earnings.periods import year_bounds
from domain.earnings.statements import Line, Section, Statement
from domain.earnings.tax_reports import YearOfCreator
from infra.queries.ledger import opening_balances, statement_lines
from infra.queries.ledger.reads import Balances


def statement_of(
    session: Session, creator_id: str, *, handle: str, month: str, start: datetime, end: datetime
) -> Statement:
    """What happened to a creator's money from `start` until before `end`."""
    whole = {
        each.currency: _whole(each) for each in opening_balances(session, creator_id, before=start)
    }
    lines: dict[str, list[Line]] = {currency: [] for currency in whole}
    opening = dict(whole)
    for each in statement_lines(session, creator_id, start=start, end=end):
        currency = each.currency
        whole[currency] = whole.get(currency, 0) + each.change_minor
        lines.setdefault(currency, []).append(
            Line(
                at=each.at,
                kind=each.kind,
                source=each.source,
                charge_id=each.charge_id,
                gross_minor=each.gross_minor,
                tax_minor=each.tax_minor,
                commission_minor=each.commission_minor,
                change_minor=each.change_minor,
                balance_minor=whole[currency],
            )
        )
    sections = tuple(
        Section(currency, opening.get(currency, 0), tuple(found))
        for currency, found in sorted(lines.items())
        if found or opening.get(currency, 0)
    )
    return Statement(handle, month, sections)


def _whole(balances: Balances) -> int:
    return (
        balances.pending_minor
        + balances.available_minor
        + balances.reserve_minor
        + balances.dispute_hold_minor
        + balances.payout_in_flight_minor
        + balances.debt_minor
    )


_YEAR = text("""
    SELECT t.creator_id, u.handle, c.country, t.currency,
        sum(t.sales)::bigint AS sales,
        coalesce(sum(t.gross) FILTER (WHERE t.quarter = 1), 0)::bigint AS q1,
        coalesce(sum(t.gross) FILTER (WHERE t.quarter = 2), 0)::bigint AS q2,
        coalesce(sum(t.gross) FILTER (WHERE t.quarter = 3), 0)::bigint AS q3,
        coalesce(sum(t.gross) FILTER (WHERE t.quarter = 4), 0)::bigint AS q4,
        sum(t.commission)::bigint AS commission, sum(t.tax)::bigint AS tax
    FROM (
        SELECT j.creator_id, e.currency,
            extract(quarter FROM j.effective_at AT TIME ZONE 'UTC') AS quarter,
            CASE WHEN j.kind = 'sale' THEN 1 ELSE 0 END AS sales,
            sum(e.amount_minor) FILTER (
                WHERE a.owner_type = 'creator' OR a.kind = 'commission') AS gross,
            coalesce(sum(e.amount_minor) FILTER (WHERE a.kind = 'commission'), 0) AS commission,
            coalesce(sum(e.amount_minor) FILTER (WHERE a.kind = 'tax_payable'), 0) AS tax
        FROM journals j
        JOIN journal_entries e ON e.journal_id = j.id
        JOIN ledger_accounts a ON a.id = e.account_id
        WHERE j.kind IN ('sale', 'refund', 'refund_failed', 'dispute_lost')
          AND j.effective_at >= :start AND j.effective_at < :end
        GROUP BY j.id, e.currency
    ) t
    JOIN users u ON u.id = t.creator_id
    LEFT JOIN connected_accounts c ON c.creator_id = t.creator_id
    GROUP BY t.creator_id, u.handle, c.country, t.currency
    ORDER BY u.handle, t.currency
""")


def year_of_creators(session: Session, year: int) -> list[YearOfCreator]:
    """Of every creator who sold or gave back something in that year (UTC), by handle."""
    start, end = year_bounds(year)
    return [
        YearOfCreator(
            creator_id=str(row.creator_id),
            handle=row.handle,
            country=row.country,
            currency=row.currency,
            sales=row.sales,
            gross_by_quarter=(row.q1, row.q2, row.q3, row.q4),
            commission_minor=row.commission,
            tax_minor=row.tax,
        )
        for row in session.execute(_YEAR, {"start": start, "end": end})
    ]
