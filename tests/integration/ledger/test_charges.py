"""Sales, fees, refunds and refunds that failed, as the ledger posts them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from domain.errors import Conflict, Invalid, NotFound
from domain.ledger.postings import SaleFacts, SaleSource
from infra.ids import new_id
from infra.models import EarningLot, Journal
from infra.queries.ledger import (
    record_fee,
    record_refund_failed,
    record_sale,
    set_earning_terms,
)
from tests.integration.ledger.books import DAY, DEFAULTS, NOW, Books

pytestmark = pytest.mark.usefixtures("proved")


def lot(books: Books, charge_id: str) -> EarningLot:
    books.session.expire_all()
    return books.session.get_one(EarningLot, charge_id)


def journals(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Journal)) or 0


def test_sale_is_split_into_tax_commission_and_share(books: Books) -> None:
    charge_id = books.sell(1160, tax_minor=160)
    assert books.balances() == {
        "stripe_clearing": -1160,
        "tax_payable": 160,
        "commission": 200,
        "pending": 800,
    }
    opened = lot(books, charge_id)
    assert (opened.amount_minor, opened.remaining_minor) == (800, 800)
    assert opened.available_at == NOW + 7 * DAY
    assert opened.released_at is None


@pytest.mark.parametrize(
    ("agreed", "own", "commission"), [(None, None, 200), (None, 1000, 100), (500, 1000, 50)]
)
def test_the_fee_agreed_on_goes_before_the_creators_and_that_before_the_default(
    books: Books, agreed: int | None, own: int | None, commission: int
) -> None:
    set_earning_terms(books.session, creator_id=books.creator_id, fee_bps=own, hold_days=None)
    books.sell(1000, fee_bps=agreed)
    assert books.balances()["commission"] == commission


def test_a_creators_own_wait_counts(books: Books) -> None:
    set_earning_terms(books.session, creator_id=books.creator_id, fee_bps=None, hold_days=30)
    assert lot(books, books.sell()).available_at == NOW + 30 * DAY


def test_a_sale_of_which_the_creator_gets_nothing_has_an_empty_lot(books: Books) -> None:
    charge_id = books.sell(1000, fee_bps=10_000)
    books.refund(charge_id, 1000)
    assert books.balances() == {}
    assert lot(books, charge_id).amount_minor == 0


def facts(books: Books, **changes: Any) -> SaleFacts:
    values: dict[str, Any] = {
        "charge_id": new_id(),
        "creator_id": books.creator_id,
        "source": SaleSource.UNLOCK,
        "gross_minor": 500,
        "tax_minor": 0,
        "fee_bps": None,
        "currency": "USD",
        "at": NOW,
        "workflow_id": None,
        "stripe_ref": "ch_1",
    }
    return SaleFacts(**(values | changes))


def test_a_repeated_sale_is_posted_once_even_when_terms_have_changed(books: Books) -> None:
    sale = facts(books)
    first = record_sale(books.session, sale, defaults=DEFAULTS)
    set_earning_terms(books.session, creator_id=books.creator_id, fee_bps=0, hold_days=0)
    again = facts(books, charge_id=sale.charge_id, at=NOW + DAY, workflow_id="another")
    second = record_sale(books.session, again, defaults=DEFAULTS)
    assert (first.is_new, second.is_new) == (True, False)
    assert first.journal_id == second.journal_id
    assert books.balances()["commission"] == 100


@pytest.mark.parametrize(
    "changes",
    [{"gross_minor": 501}, {"tax_minor": 1}, {"currency": "EUR"}, {"stripe_ref": "ch_2"}],
)
def test_another_sale_of_the_same_charge_is_refused(books: Books, changes: dict[str, Any]) -> None:
    sale = facts(books)
    record_sale(books.session, sale, defaults=DEFAULTS)
    with pytest.raises(Conflict) as refused:
        record_sale(
            books.session, facts(books, charge_id=sale.charge_id, **changes), defaults=DEFAULTS
        )
    assert refused.value.code == "journal_differs"
    assert journals(books.session) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"gross_minor": 0}, "no_sale"),
        ({"gross_minor": -5}, "no_sale"),
        ({"tax_minor": -1}, "tax_unfit"),
        ({"tax_minor": 500}, "tax_unfit"),
        ({"currency": "usd"}, "currency_unknown"),
    ],
)
def test_what_is_no_sale(books: Books, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as refused:
        facts(books, **changes)
    assert refused.value.code == code


def test_fees_are_spent_and_given_back(books: Books) -> None:
    charged = {"txn_id": "txn_1", "stripe_ref": "ch_1", "fee_minor": 59, "currency": "USD"}
    for _ in range(2):
        record_fee(books.session, **charged, at=NOW)  # type: ignore[arg-type]
    assert books.balances() == {"stripe_clearing": 59, "stripe_fees": -59}
    with pytest.raises(Conflict):
        record_fee(books.session, **(charged | {"fee_minor": 60}), at=NOW)  # type: ignore[arg-type]
    returned = charged | {"txn_id": "txn_2", "fee_minor": -59}
    record_fee(books.session, **returned, at=NOW)  # type: ignore[arg-type]
    assert books.balances() == {}
    nothing = charged | {"txn_id": "txn_3", "fee_minor": 0}
    assert record_fee(books.session, **nothing, at=NOW) is None  # type: ignore[arg-type]


def test_a_full_refund_takes_everything_back(books: Books) -> None:
    charge_id = books.sell(1160, tax_minor=160)
    books.refund(charge_id, 1160)
    assert books.balances() == {}
    assert lot(books, charge_id).remaining_minor == 0


def test_partial_refunds_end_at_the_sales_own_parts(books: Books) -> None:
    charge_id = books.sell(1000, tax_minor=167)
    for amount in (333, 1, 333, 332, 1):
        books.refund(charge_id, amount)
    assert books.balances() == {}


def test_a_refund_takes_its_own_lot_then_other_available_ones_then_makes_debt(
    books: Books,
) -> None:
    sold = books.sell(1000)
    books.release()
    _, reserved = books.reserve()
    assert reserved.amount_minor == 800
    other = books.sell(300)
    books.release()
    waiting = books.sell(5000)
    books.refund(sold, 1000)
    assert lot(books, other).refunded_minor == 240
    assert lot(books, waiting).remaining_minor == 4000
    balances = books.balances()
    assert (balances["debt"], balances["pending"]) == (-560, 4000)
    assert "available" not in balances
    books.release()
    assert books.balances()["available"] == 4000 - 560
    assert "debt" not in books.balances()
    assert lot(books, waiting).debt_paid_minor == 560


def test_more_than_was_paid_is_not_refunded(books: Books) -> None:
    charge_id = books.sell(1000)
    books.refund(charge_id, 600)
    with pytest.raises(Conflict) as refused:
        books.refund(charge_id, 401)
    assert refused.value.code == "refund_exceeds_charge"
    assert refused.value.facts["returnable_minor"] == 400
    with pytest.raises(Invalid):
        books.refund(charge_id, 0)


def test_a_repeated_refund_is_posted_once(books: Books) -> None:
    charge_id = books.sell(1000)
    refund_id = books.refund(charge_id, 600)
    before = books.balances()
    books.refund(charge_id, 600, refund_id=refund_id)
    assert books.balances() == before
    with pytest.raises(Conflict) as refused:
        books.refund(charge_id, 300, refund_id=refund_id)
    assert refused.value.code == "journal_differs"


def test_a_refund_of_an_unknown_sale_is_refused(books: Books) -> None:
    with pytest.raises(NotFound) as refused:
        books.refund(new_id(), 1)
    assert refused.value.code == "sale_unknown"


def fail(books: Books, refund_id: str) -> bool:
    return record_refund_failed(
        books.session, refund_id=refund_id, at=books.now, stripe_ref=f"re_{refund_id}"
    ).is_new


def test_a_refund_that_fails_restores_what_it_took_once(books: Books) -> None:
    charge_id = books.sell(1160, tax_minor=160)
    before = books.balances()
    refund_id = books.refund(charge_id, 500)
    assert fail(books, refund_id)
    assert not fail(books, refund_id)
    assert books.balances() == before
    books.refund(charge_id, 1160)
    assert books.balances() == {}


def test_a_refund_that_fails_after_the_release_is_given_back_as_available(books: Books) -> None:
    charge_id = books.sell(1000)
    refund_id = books.refund(charge_id, 1000)
    books.release()
    fail(books, refund_id)
    assert books.balances() == {
        "stripe_clearing": -1000,
        "commission": 200,
        "available": 800,
    }


def test_a_debt_that_turns_out_to_be_none_is_paid_back_to_the_lots_that_paid_it(
    books: Books,
) -> None:
    sold = books.sell(1000)
    books.release()
    books.reserve()
    refund_id = books.refund(sold, 1000)
    payer = books.sell(1000)
    books.release()
    assert lot(books, payer).debt_paid_minor == 800
    fail(books, refund_id)
    assert lot(books, payer).remaining_minor == 800
    assert lot(books, sold).refunded_minor == 0
    assert books.balances()["available"] == 800


def test_failing_a_refund_that_was_not_posted_is_refused(books: Books) -> None:
    with pytest.raises(NotFound) as refused:
        fail(books, new_id())
    assert refused.value.code == "refund_unknown"
