"""Proof of the ledger's invariants, from the rows themselves.

The database refuses what would break most of them. This finds what was done past it: by a
superuser, by a restore of single tables, or by a trigger that was switched off.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

BREAKS_MAX = 100
"""Of each rule; more say nothing more."""


@dataclass(frozen=True, slots=True)
class Break:
    """A rule that does not hold, of what, and by how much."""

    rule: str
    subject: str
    detail: str


_JOURNALS = """
    SELECT 'journal_balances' AS rule, j.event_key AS subject,
           format('%s entries, %s', coalesce(e.entries, 0), coalesce(e.sums, 'no sum')) AS detail
    FROM journals j
    LEFT JOIN (
        SELECT s.journal_id, sum(s.entries) AS entries, bool_or(s.amount <> 0) AS uneven,
               string_agg(s.amount || ' ' || s.currency, ', ') AS sums
        FROM (
            SELECT journal_id, currency, count(*) AS entries, sum(amount_minor) AS amount
            FROM journal_entries GROUP BY journal_id, currency
        ) s GROUP BY s.journal_id
    ) e ON e.journal_id = j.id
    WHERE e.uneven OR coalesce(e.entries, 0) < 2
"""
_BALANCES = """
    SELECT 'balance_is_sum_of_entries', coalesce(b.account_id, e.account_id)::text,
           format('balance %s, entries %s', b.posted_minor, e.amount)
    FROM account_balances b
    FULL JOIN (
        SELECT account_id, sum(amount_minor) AS amount FROM journal_entries GROUP BY account_id
    ) e ON e.account_id = b.account_id
    WHERE b.account_id IS NULL OR b.posted_minor <> coalesce(e.amount, 0)
"""
_SIDES = """
    SELECT 'account_on_its_side', a.id::text, format('%s: %s', a.kind, b.posted_minor)
    FROM ledger_accounts a JOIN account_balances b ON b.account_id = a.id
    WHERE (b.posted_minor < 0 AND a.owner_type = 'creator' AND a.kind <> 'debt')
       OR (b.posted_minor > 0
           AND a.kind IN ('debt', 'payout_clearing', 'dispute_receivable', 'bad_debt'))
"""
_LOTS_AND_BALANCES = """
    SELECT 'lots_are_balances', c.creator_id || ' ' || c.currency, format(
        'pending %s lots %s, available %s lots %s, in flight %s lots %s, held %s lots %s, debt %s',
        c.pending, c.lots_pending, c.available, c.lots_available, c.in_flight, c.lots_in_flight,
        c.held, c.lots_held, c.debt)
    FROM (
        SELECT creator_id, currency,
            sum(pending) AS pending, sum(lots_pending) AS lots_pending,
            sum(available) AS available, sum(lots_available) AS lots_available,
            sum(in_flight) AS in_flight, sum(lots_in_flight) AS lots_in_flight,
            sum(held) AS held, sum(lots_held) AS lots_held, sum(debt) AS debt
        FROM (
            SELECT a.owner_id AS creator_id, a.currency,
                CASE a.kind WHEN 'pending' THEN b.posted_minor ELSE 0 END AS pending,
                CASE a.kind WHEN 'available' THEN b.posted_minor ELSE 0 END AS available,
                CASE a.kind WHEN 'payout_in_flight' THEN b.posted_minor ELSE 0 END AS in_flight,
                CASE a.kind WHEN 'dispute_hold' THEN b.posted_minor ELSE 0 END AS held,
                CASE a.kind WHEN 'debt' THEN b.posted_minor ELSE 0 END AS debt,
                0 AS lots_pending, 0 AS lots_available, 0 AS lots_in_flight, 0 AS lots_held
            FROM ledger_accounts a JOIN account_balances b ON b.account_id = a.id
            WHERE a.owner_type = 'creator'
            UNION ALL
            SELECT creator_id, currency, 0, 0, 0, 0, 0,
                CASE WHEN released_at IS NULL THEN remaining_minor ELSE 0 END,
                CASE WHEN released_at IS NULL THEN 0 ELSE remaining_minor END,
                reserved_minor, held_minor
            FROM earning_lots
        ) each
        GROUP BY creator_id, currency
    ) c
    WHERE c.pending <> c.lots_pending OR c.available <> c.lots_available
       OR c.in_flight <> c.lots_in_flight
       -- What lots could not hold is held as debt.
       OR c.held < c.lots_held
       OR (c.available > 0 AND c.debt < 0)
"""
_PARTS = "refunded reserved paid_out held debt_paid returned_tax returned_commission returned_share"
_LOT_PARTS = f"""
    SELECT 'lot_is_sum_of_movements', l.id::text, format('of %s', l.creator_id)
    FROM earning_lots l
    LEFT JOIN (
        SELECT lot_id, {
    ", ".join(
        f"sum(CASE part WHEN '{part}' THEN amount_minor ELSE 0 END) AS {part}"
        for part in _PARTS.split()
    )
}
        FROM lot_movements GROUP BY lot_id
    ) m ON m.lot_id = l.id
    WHERE {" OR ".join(f"l.{part}_minor <> coalesce(m.{part}, 0)" for part in _PARTS.split())}
"""
_LOT_SALES = """
    SELECT 'lot_is_its_sale', coalesce(l.id, s.charge_id)::text,
           format('lot %s + %s + %s, sale %s + %s + %s', l.tax_minor, l.commission_minor,
                  l.amount_minor, s.tax, s.commission, s.share)
    FROM earning_lots l
    FULL JOIN (
        SELECT j.charge_id, j.creator_id,
            sum(CASE a.kind WHEN 'tax_payable' THEN e.amount_minor ELSE 0 END) AS tax,
            sum(CASE a.kind WHEN 'commission' THEN e.amount_minor ELSE 0 END) AS commission,
            sum(CASE a.kind WHEN 'pending' THEN e.amount_minor ELSE 0 END) AS share
        FROM journals j
        JOIN journal_entries e ON e.journal_id = j.id
        JOIN ledger_accounts a ON a.id = e.account_id
        WHERE j.kind = 'sale' GROUP BY j.id
    ) s ON s.charge_id = l.id
    WHERE l.id IS NULL OR s.charge_id IS NULL OR s.creator_id <> l.creator_id
       OR (s.tax, s.commission, s.share)
          IS DISTINCT FROM (l.tax_minor, l.commission_minor, l.amount_minor)
"""
_ALL = text(
    " UNION ALL ".join(
        f"(SELECT * FROM ({rule}) broken LIMIT {BREAKS_MAX})"
        for rule in (_JOURNALS, _BALANCES, _SIDES, _LOTS_AND_BALANCES, _LOT_PARTS, _LOT_SALES)
    )
)


def verify(session: Session) -> list[Break]:
    """Every rule that does not hold, in one statement and so of one moment; none: all is well.

    It reads the whole ledger.
    """
    return [Break(row.rule, row.subject, row.detail) for row in session.execute(_ALL)]
