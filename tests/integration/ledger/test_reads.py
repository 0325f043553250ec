"""What the ledger says, and that its proof sees what was done past it."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from infra.ids import new_id
from infra.queries.ledger import (
    Balances,
    Cleared,
    StatementLine,
    balances_of,
    clearing_by_stripe_ref,
    clearing_of_refs,
    fund_payout,
    lots_of,
    opening_balances,
    record_fee,
    settle_payout,
    statement_lines,
    trial_balance,
    verify,
)
from tests.integration.ledger.books import DAY, NOW, Books


def test_balances_are_told_by_currency(books: Books) -> None:
    assert balances_of(books.session, books.creator_id) == []
    books.sell(1000)
    books.release()
    books.sell(500)
    Books(books.session, books.creator_id, currency="JPY").sell(100)
    assert balances_of(books.session, books.creator_id) == [
        Balances("JPY", pending_minor=80),
        Balances("USD", pending_minor=400, available_minor=800),
    ]
    assert opening_balances(books.session, books.creator_id, before=NOW + DAY) == [
        Balances("JPY", pending_minor=80),
        Balances("USD", pending_minor=800),
    ]


def test_the_trial_balance_comes_to_zero_in_each_currency(books: Books) -> None:
    books.sell(1160, tax_minor=160)
    Books(books.session, books.creator_id, currency="JPY").sell(100)
    found = trial_balance(books.session)
    assert [(line.currency, line.kind.value, line.posted_minor) for line in found.lines] == [
        ("JPY", "commission", 20),
        ("JPY", "pending", 80),
        ("JPY", "stripe_clearing", -100),
        ("USD", "commission", 200),
        ("USD", "pending", 800),
        ("USD", "stripe_clearing", -1160),
        ("USD", "tax_payable", 160),
    ]
    assert found.sums == {"JPY": 0, "USD": 0}


def test_a_statement_tells_what_happened_in_order(books: Books) -> None:
    charge_id = books.sell(1160, tax_minor=160)
    books.now += DAY
    books.refund(charge_id, 580)
    books.release()
    payout_id, _ = books.reserve()
    fund_payout(books.session, payout_id=payout_id, at=books.now + DAY, stripe_ref="tr_1")
    settle_payout(books.session, payout_id=payout_id, at=books.now + 2 * DAY)

    def told(line: StatementLine) -> tuple[object, ...]:
        return (line.kind, line.source, line.gross_minor, line.tax_minor, line.change_minor)

    lines = statement_lines(books.session, books.creator_id, start=NOW, end=NOW + 60 * DAY)
    assert [told(line) for line in lines] == [
        ("sale", "tip", 1160, 160, 800),
        ("refund", "tip", -580, -80, -400),
        ("release", None, 0, 0, 0),
        ("payout_reserved", None, 0, 0, 0),
        ("payout_settled", None, 0, 0, -400),
    ]
    first_day = statement_lines(books.session, books.creator_id, start=NOW, end=NOW + DAY)
    assert [line.event_key for line in first_day] == [f"sale:{charge_id}"]
    assert statement_lines(books.session, new_id(), start=NOW, end=NOW + 60 * DAY) == []


def test_lots_come_newest_first_by_pages(books: Books) -> None:
    charges = []
    for _ in range(3):
        charges.append(books.sell())
        books.now += DAY
    page = lots_of(books.session, books.creator_id, limit=2)
    assert [lot.id for lot in page] == [charges[2], charges[1]]
    after = (page[-1].earned_at, page[-1].id)
    rest = lots_of(books.session, books.creator_id, limit=2, before=after)
    assert [lot.id for lot in rest] == [charges[0]]


def test_what_stripe_holds_is_told_by_its_objects(books: Books) -> None:
    """A fee that is told later counts with its charge, whenever one asks."""
    charge_id = books.sell(1000)
    refund_id = books.refund(charge_id, 300)
    source = f"ch_{charge_id}"
    record_fee(
        books.session,
        txn_id="txn_1",
        stripe_ref=source,
        fee_minor=59,
        currency="USD",
        at=NOW + 3 * DAY,
    )
    wanted = [Cleared(source, "USD", 941), Cleared(f"re_{refund_id}", "USD", -300)]
    assert clearing_by_stripe_ref(books.session, start=NOW, end=NOW + DAY) == wanted
    assert clearing_by_stripe_ref(books.session, start=NOW + DAY, end=NOW + 9 * DAY) == wanted[:1]
    assert clearing_of_refs(books.session, [source, "ch_other"]) == wanted[:1]


def tamper(session: Session, statement: str) -> None:
    """As somebody does who may switch triggers and checks off."""
    session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    session.execute(text("SET LOCAL session_replication_role = replica"))
    session.execute(text(statement))


@pytest.mark.parametrize(
    ("statement", "rules"),
    [
        (
            "UPDATE journal_entries SET amount_minor = amount_minor + 1 WHERE amount_minor = 200",
            {"journal_balances", "balance_is_sum_of_entries", "lot_is_its_sale"},
        ),
        (
            "DELETE FROM journal_entries",
            {"journal_balances", "balance_is_sum_of_entries", "lot_is_its_sale"},
        ),
        (
            "UPDATE account_balances SET posted_minor = posted_minor + 1 WHERE posted_minor = 500",
            {"balance_is_sum_of_entries", "lots_are_balances"},
        ),
        ("DELETE FROM lot_movements", {"lot_is_sum_of_movements"}),
        (
            "UPDATE earning_lots SET released_at = NULL WHERE reserved_minor + debt_paid_minor = 0",
            {"lots_are_balances"},
        ),
        (
            "UPDATE earning_lots SET amount_minor = amount_minor + 1",
            {"lots_are_balances", "lot_is_its_sale"},
        ),
        (
            "UPDATE earning_lots SET refunded_minor = refunded_minor + 1,"
            " debt_paid_minor = debt_paid_minor - 1 WHERE debt_paid_minor > 0",
            {"lot_is_sum_of_movements"},
        ),
        ("DELETE FROM earning_lots", {"lots_are_balances", "lot_is_its_sale"}),
        (
            "ALTER TABLE account_balances DROP CONSTRAINT ck_account_balances_never_positive;"
            " UPDATE account_balances b SET posted_minor = 7 FROM ledger_accounts a"
            " WHERE a.id = b.account_id AND a.kind = 'debt'",
            {"account_on_its_side", "balance_is_sum_of_entries"},
        ),
    ],
)
def test_the_proof_sees_what_was_done_past_the_ledger(
    books: Books, statement: str, rules: set[str]
) -> None:
    sold = books.sell(1000)
    books.release()
    books.reserve()
    books.refund(sold, 375)
    books.sell(500)
    books.sell(500)
    books.release()
    assert balances_of(books.session, books.creator_id)[0].available_minor == 500
    assert verify(books.session) == []
    tamper(books.session, statement)
    assert {each.rule for each in verify(books.session)} == rules
