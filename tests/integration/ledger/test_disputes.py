"""A dispute holds the creator's share at its opening, and ends once."""

from __future__ import annotations

import pytest

from domain.errors import Conflict, Invalid, NotFound
from domain.ledger.accounts import OwnerType
from infra.ids import new_id
from infra.models import EarningLot
from infra.queries.ledger import Posted, lose_dispute, record_refund_failed, win_dispute
from tests.integration.ledger.books import Books

pytestmark = pytest.mark.usefixtures("proved")


def win(books: Books, dispute_id: str, *, fee_returned_minor: int = 0) -> Posted:
    return win_dispute(
        books.session,
        dispute_id=dispute_id,
        at=books.now,
        stripe_ref=dispute_id,
        fee_returned_minor=fee_returned_minor,
    )


def lose(books: Books, dispute_id: str, *, fee_borne_by: OwnerType = OwnerType.PLATFORM) -> Posted:
    return lose_dispute(
        books.session,
        dispute_id=dispute_id,
        at=books.now,
        stripe_ref=dispute_id,
        fee_borne_by=fee_borne_by,
    )


def test_opening_holds_the_creators_share(books: Books) -> None:
    charge_id = books.sell(1160, tax_minor=160)
    books.dispute(charge_id, 1160)
    assert books.balances() == {
        "stripe_clearing": -1160 + 2660,
        "dispute_receivable": -1160,
        "stripe_fees": -1500,
        "tax_payable": 160,
        "commission": 200,
        "dispute_hold": 800,
    }


def test_won_gives_back_exactly_what_was_held(books: Books) -> None:
    charge_id = books.sell(1160, tax_minor=160)
    before = books.balances()
    dispute_id = books.dispute(charge_id, 1160)
    assert win(books, dispute_id, fee_returned_minor=1500).is_new
    assert books.balances() == before
    assert not win(books, dispute_id, fee_returned_minor=1500).is_new
    books.refund(charge_id, 1160)
    assert books.balances() == {}


def test_what_was_held_while_pending_comes_back_to_where_its_lot_is(books: Books) -> None:
    dispute_id = books.dispute(books.sell(1000), 1000)
    books.release()
    win(books, dispute_id)
    assert books.balances()["available"] == 800


def test_lost_is_borne_by_tax_commission_and_what_was_held(books: Books) -> None:
    charge_id = books.sell(1160, tax_minor=160)
    dispute_id = books.dispute(charge_id, 1160)
    assert lose(books, dispute_id).is_new
    assert not lose(books, dispute_id).is_new
    assert books.balances() == {"stripe_clearing": 1500, "stripe_fees": -1500}


def test_a_lost_disputes_fee_may_be_the_creators(books: Books) -> None:
    dispute_id = books.dispute(books.sell(1000), 1000)
    other = books.sell(1000)
    books.release()
    lose(books, dispute_id, fee_borne_by=OwnerType.CREATOR)
    assert books.balances() == {
        "stripe_clearing": -1000 + 1500,
        "commission": 200,
        "debt": -700,
    }
    assert books.session.get_one(EarningLot, other, populate_existing=True).refunded_minor == 800


@pytest.mark.parametrize("won_first", [True, False])
def test_a_dispute_ends_once(books: Books, won_first: bool) -> None:
    dispute_id = books.dispute(books.sell(1000), 1000)
    first, second = (win, lose) if won_first else (lose, win)
    first(books, dispute_id)
    with pytest.raises(Conflict) as refused:
        second(books, dispute_id)
    assert refused.value.code == "journal_differs"


def test_a_dispute_after_payout_leaves_the_creator_in_debt(books: Books) -> None:
    charge_id = books.sell(1000)
    books.release()
    books.reserve()
    dispute_id = books.dispute(charge_id, 1000)
    assert (books.balances()["debt"], books.balances()["dispute_hold"]) == (-800, 800)
    payer = books.sell(500)
    books.release()
    assert books.balances()["debt"] == -400
    win(books, dispute_id)
    assert "debt" not in books.balances()
    assert books.balances()["available"] == 400
    lot = books.session.get_one(EarningLot, payer, populate_existing=True)
    assert (lot.debt_paid_minor, lot.remaining_minor) == (0, 400)


def test_after_a_lost_dispute_the_debt_stays(books: Books) -> None:
    charge_id = books.sell(1000)
    books.release()
    books.reserve()
    lose(books, books.dispute(charge_id, 1000))
    balances = books.balances()
    assert balances["debt"] == -800
    assert not {"dispute_hold", "dispute_receivable", "commission"} & balances.keys()


@pytest.mark.parametrize("fee_minor", [0, 1500])
def test_a_dispute_of_a_part_leaves_the_rest_to_be_refunded(books: Books, fee_minor: int) -> None:
    charge_id = books.sell(1160, tax_minor=160)
    dispute_id = books.dispute(charge_id, 700, fee_minor=fee_minor)
    with pytest.raises(Conflict):
        books.refund(charge_id, 461)
    books.refund(charge_id, 460)
    lose(books, dispute_id)
    left = {"stripe_clearing": fee_minor, "stripe_fees": -fee_minor}
    assert books.balances() == {kind: amount for kind, amount in left.items() if amount}


def test_disputed_above_what_is_left_is_ours_to_lose(books: Books) -> None:
    charge_id = books.sell(1000)
    books.refund(charge_id, 400)
    dispute_id = books.dispute(charge_id, 1000, fee_minor=0)
    lose(books, dispute_id)
    assert books.balances() == {"stripe_clearing": 400, "bad_debt": -400}


def test_a_refund_that_fails_while_the_rest_is_disputed(books: Books) -> None:
    charge_id = books.sell(999, tax_minor=137)
    refund_id = books.refund(charge_id, 333)
    dispute_id = books.dispute(charge_id, 666, fee_minor=0)
    record_refund_failed(
        books.session, refund_id=refund_id, at=books.now, stripe_ref=f"re_{refund_id}"
    )
    lose(books, dispute_id)
    books.refund(charge_id, 333)
    assert books.balances() == {}


@pytest.mark.parametrize(("amount", "fee"), [(0, 0), (-1, 0), (1, -1)])
def test_a_dispute_takes_something(books: Books, amount: int, fee: int) -> None:
    with pytest.raises(Invalid) as refused:
        books.dispute(books.sell(), amount, fee_minor=fee)
    assert refused.value.code == "dispute_of_nothing"


@pytest.mark.parametrize("end", [win, lose])
def test_a_dispute_that_was_not_opened_does_not_end(books: Books, end: object) -> None:
    assert callable(end)
    with pytest.raises(NotFound) as refused:
        end(books, f"dp_{new_id()}")
    assert refused.value.code == "dispute_unknown"
