"""What holds for the ledger."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.orm import Session

from devstack.rules.broken import Break, broken_among
from infra.queries import ledger

ALWAYS: Mapping[str, str] = {
    "every journal sums to zero": """
        SELECT journal_id, currency, sum(amount_minor), count(*) FROM journal_entries
        GROUP BY journal_id, currency HAVING sum(amount_minor) <> 0 OR count(*) < 2
    """,
    "a balance is the sum of its entries": """
        SELECT a.owner_id, a.kind, a.currency, b.posted_minor, sum(e.amount_minor)
        FROM ledger_accounts a JOIN account_balances b ON b.account_id = a.id
        LEFT JOIN journal_entries e ON e.account_id = a.id
        GROUP BY a.id, b.posted_minor HAVING b.posted_minor <> coalesce(sum(e.amount_minor), 0)
    """,
    "an account stays on its side of zero": """
        SELECT a.owner_id, a.kind, a.currency, b.posted_minor
        FROM ledger_accounts a JOIN account_balances b ON b.account_id = a.id
        WHERE (b.posted_minor < 0 AND a.kind IN
               ('pending', 'available', 'reserve', 'dispute_hold', 'payout_in_flight'))
           OR (b.posted_minor > 0 AND a.kind IN
               ('debt', 'payout_clearing', 'dispute_receivable', 'bad_debt'))
    """,
    "lots hold what the creator's accounts say": """
        WITH lots AS (
            SELECT creator_id, currency,
                sum(remaining_minor) FILTER (WHERE released_at IS NULL) AS pending,
                sum(remaining_minor) FILTER (WHERE released_at IS NOT NULL) AS available,
                sum(reserved_minor) AS payout_in_flight
            FROM earning_lots GROUP BY creator_id, currency
        ), said AS (
            SELECT a.owner_id AS creator_id, a.currency,
                sum(b.posted_minor) FILTER (WHERE a.kind = 'pending') AS pending,
                sum(b.posted_minor) FILTER (WHERE a.kind = 'available') AS available,
                sum(b.posted_minor) FILTER (WHERE a.kind = 'payout_in_flight') AS payout_in_flight
            FROM ledger_accounts a JOIN account_balances b ON b.account_id = a.id
            WHERE a.owner_type = 'creator' GROUP BY a.owner_id, a.currency
        )
        SELECT * FROM lots FULL JOIN said USING (creator_id, currency)
        WHERE coalesce(lots.pending, 0) <> coalesce(said.pending, 0)
           OR coalesce(lots.available, 0) <> coalesce(said.available, 0)
           OR coalesce(lots.payout_in_flight, 0) <> coalesce(said.payout_in_flight, 0)
    """,
    "a lot holds no less than nothing, and no more than was earned": """
        SELECT id, amount_minor, remaining_minor FROM earning_lots
        WHERE remaining_minor < 0 OR remaining_minor > amount_minor
    """,
    "nobody who has something available owes something": """
        SELECT a.owner_id, a.currency, b.posted_minor
        FROM ledger_accounts a JOIN account_balances b ON b.account_id = a.id
        JOIN ledger_accounts d ON d.owner_id = a.owner_id AND d.currency = a.currency
        JOIN account_balances o ON o.account_id = d.id
        WHERE a.kind = 'available' AND d.kind = 'debt' AND b.posted_minor > 0 AND o.posted_minor < 0
    """,
}
"""Each finds the rows that break it."""


def broken_rules(session: Session) -> list[Break]:
    """Of the ledger, whatever is under way: its own proof, and ours."""
    found = [Break(each.rule, f"{each.subject}: {each.detail}") for each in ledger.verify(session)]
    return found + broken_among(session, ALWAYS)


def held_for_us(session: Session) -> dict[str, int]:
    """By Stripe, after the ledger: minus what is posted to clearing, by `stripe_ref`."""
    rows = session.execute(
        text("""
            SELECT j.stripe_ref, -sum(e.amount_minor)
            FROM journal_entries e JOIN journals j ON j.id = e.journal_id
            JOIN ledger_accounts a ON a.id = e.account_id
            WHERE a.kind = 'stripe_clearing' GROUP BY j.stripe_ref
        """)
    )
    return {ref: int(amount) for ref, amount in rows}


def posted_by_source(session: Session) -> dict[str, tuple[int, int]]:
    """How many journals move what Stripe holds for us, by `stripe_ref`: of amounts, and of
    fees by themselves."""
    rows = session.execute(
        text("""
            SELECT j.stripe_ref, count(*) FILTER (WHERE j.kind <> 'fee'),
                count(*) FILTER (WHERE j.kind = 'fee')
            FROM journal_entries e JOIN journals j ON j.id = e.journal_id
            JOIN ledger_accounts a ON a.id = e.account_id
            WHERE a.kind = 'stripe_clearing' GROUP BY j.stripe_ref
        """)
    )
    return {ref: (amounts, fees) for ref, amounts, fees in rows}
