"""Release, debts, and payouts: each lot gets back exactly what was reserved of it."""

from __future__ import annotations

from typing import Any

import pytest

from domain.errors import Conflict, Invalid, NotFound
from domain.ledger.payouts import NoPayout, NotReserved, Reserved
from infra.ids import new_id
from infra.models import EarningLot
from infra.queries.ledger import (
    Released,
    creators_due,
    find_reserved,
    fund_payout,
    release_due,
    reserve_payout,
    return_payout,
    reverse_transfer,
    set_payouts_blocked,
    settle_payout,
    write_off,
)
from tests.integration.ledger.books import DAY, Books

pytestmark = pytest.mark.usefixtures("proved")


def lot(books: Books, charge_id: str) -> EarningLot:
    return books.session.get_one(EarningLot, charge_id, populate_existing=True)


def reserve(books: Books, **changes: Any) -> Reserved | NotReserved:
    values: dict[str, Any] = {
        "payout_id": new_id(),
        "creator_id": books.creator_id,
        "currency": "USD",
        "at": books.now,
        "minimum_minor": 1,
    }
    return reserve_payout(books.session, **(values | changes))


def in_debt(books: Books, debt_minor: int = 800) -> None:
    """Everything was paid out, then refunded."""
    charge_id = books.sell(debt_minor * 10 // 8)
    books.release()
    paid_out(books)
    books.refund(charge_id, debt_minor * 10 // 8)
    assert books.balances()["debt"] == -debt_minor


def paid_out(books: Books) -> str:
    payout_id, _ = books.reserve()
    fund_payout(books.session, payout_id=payout_id, at=books.now, stripe_ref="tr_1")
    settle_payout(books.session, payout_id=payout_id, at=books.now)
    return payout_id


# --- release ---------------------------------------------------------------------------------


def test_what_has_waited_long_enough_becomes_available_once(books: Books) -> None:
    first = books.sell(1000)
    books.now += DAY
    second = books.sell(500)
    assert creators_due(books.session, at=books.now + 5 * DAY, limit=10) == []
    books.now += 6 * DAY
    assert creators_due(books.session, at=books.now, limit=10) == [books.creator_id]
    released = release_due(books.session, creator_id=books.creator_id, at=books.now)
    assert released == [Released("USD", 800, 0)]
    assert release_due(books.session, creator_id=books.creator_id, at=books.now) == []
    assert books.balances()["available"] == 800
    assert books.balances()["pending"] == 400
    assert lot(books, first).released_at == books.now
    assert lot(books, second).released_at is None


def test_each_currency_is_released_by_itself(books: Books) -> None:
    books.sell(1000)
    Books(books.session, books.creator_id, currency="JPY").sell(500)
    released = release_due(books.session, creator_id=books.creator_id, at=books.now + 7 * DAY)
    assert released == [Released("JPY", 400, 0), Released("USD", 800, 0)]


def test_a_lot_of_which_nothing_remains_is_due_no_longer(books: Books) -> None:
    books.refund(books.sell(1000), 1000)
    books.release()
    assert creators_due(books.session, at=books.now, limit=10) == []
    assert books.balances() == {}


def test_creators_due_come_by_pages(books: Books) -> None:
    books.sell()
    at = books.now + 7 * DAY
    assert creators_due(books.session, at=at, limit=1) == [books.creator_id]
    assert creators_due(books.session, at=at, limit=1, after=books.creator_id) == []


def test_debt_is_paid_first(books: Books) -> None:
    in_debt(books, 800)
    books.sell(500)
    books.sell(1000)
    books.now += 7 * DAY
    released = release_due(books.session, creator_id=books.creator_id, at=books.now)
    assert released == [Released("USD", 1200, 800)]
    assert books.balances()["available"] == 400
    assert "debt" not in books.balances()


# --- reserving -------------------------------------------------------------------------------


def test_the_oldest_lots_are_reserved_first_and_a_repeat_answers_the_same(books: Books) -> None:
    charges = [books.sell(1000) for _ in range(3)]
    books.release()
    payout_id = new_id()
    reserved = reserve(books, payout_id=payout_id, round_to_minor=1000)
    oldest = sorted(charges)
    assert reserved == Reserved(2000, ((oldest[0], 800), (oldest[1], 800), (oldest[2], 400)))
    assert books.balances()["available"] == 400
    books.sell(5000)
    books.release()
    assert reserve(books, payout_id=payout_id, round_to_minor=1) == reserved
    assert find_reserved(books.session, payout_id) == reserved
    assert find_reserved(books.session, new_id()) is None
    with pytest.raises(Conflict) as refused:
        reserve(books, payout_id=payout_id, currency="EUR")
    assert refused.value.code == "journal_differs"


@pytest.mark.parametrize(("minimum", "step"), [(801, 1), (1, 1000), (800, 700)])
def test_below_the_minimum_nothing_is_reserved(books: Books, minimum: int, step: int) -> None:
    """What counts is the amount after rounding."""
    books.sell(1000)
    books.release()
    found = reserve(books, minimum_minor=minimum, round_to_minor=step)
    assert found == NotReserved(NoPayout.BELOW_MINIMUM, 800)


def test_nothing_is_below_any_minimum(books: Books) -> None:
    assert reserve(books, minimum_minor=0) == NotReserved(NoPayout.BELOW_MINIMUM, 0)


def test_debt_keeps_from_payouts(books: Books) -> None:
    in_debt(books)
    assert reserve(books) == NotReserved(NoPayout.DEBT, 0)


def test_a_block_keeps_from_payouts_and_says_why(books: Books) -> None:
    books.sell(1000)
    books.release()
    set_payouts_blocked(books.session, creator_id=books.creator_id, reason="under review")
    assert reserve(books) == NotReserved(NoPayout.BLOCKED, 800, "under review")
    set_payouts_blocked(books.session, creator_id=books.creator_id, reason=None)
    assert isinstance(reserve(books), Reserved)


def test_a_hold_keeps_from_payouts_unless_said_otherwise(books: Books) -> None:
    charge_id = books.sell(1000)
    books.sell(1000)
    books.release()
    books.dispute(charge_id, 1000)
    assert reserve(books) == NotReserved(NoPayout.HOLD, 800)
    reserved = reserve(books, hold_blocks=False)
    assert isinstance(reserved, Reserved) and reserved.amount_minor == 800


# --- after that ------------------------------------------------------------------------------


def test_a_settled_payout_is_gone_for_good(books: Books) -> None:
    charge_id = books.sell(1000)
    books.release()
    payout_id = paid_out(books)
    for again in range(2):
        assert not settle_payout(books.session, payout_id=payout_id, at=books.now).is_new, again
    assert books.balances() == {"stripe_clearing": -200, "commission": 200}
    assert (lot(books, charge_id).paid_out_minor, lot(books, charge_id).reserved_minor) == (800, 0)
    for step in (return_payout, reverse_transfer):
        with pytest.raises(Conflict) as refused:
            extra = {"stripe_ref": "trr_1"} if step is reverse_transfer else {}
            step(books.session, payout_id=payout_id, at=books.now, **extra)
        assert refused.value.code == "payout_settled"


def test_a_returned_payout_restores_the_lots_with_their_dates(books: Books) -> None:
    charge_id = books.sell(1000)
    books.release()
    before, dates = books.balances(), lot(books, charge_id).available_at
    payout_id, _ = books.reserve()
    assert return_payout(books.session, payout_id=payout_id, at=books.now + DAY).is_new
    assert not return_payout(books.session, payout_id=payout_id, at=books.now).is_new
    assert books.balances() == before
    assert lot(books, charge_id).available_at == dates
    for step in (fund_payout, settle_payout):
        with pytest.raises(Conflict) as refused:
            extra = {"stripe_ref": "tr_1"} if step is fund_payout else {}
            step(books.session, payout_id=payout_id, at=books.now, **extra)
        assert refused.value.code == "payout_returned"


def test_a_funded_payout_is_returned_only_after_its_transfer_came_back(books: Books) -> None:
    books.sell(1000)
    books.release()
    before = books.balances()
    payout_id, _ = books.reserve()
    fund_payout(books.session, payout_id=payout_id, at=books.now, stripe_ref="tr_1")
    assert books.balances()["payout_clearing"] == -800
    with pytest.raises(Conflict) as refused:
        return_payout(books.session, payout_id=payout_id, at=books.now)
    assert refused.value.code == "payout_funded"
    reverse_transfer(books.session, payout_id=payout_id, at=books.now, stripe_ref="trr_1")
    with pytest.raises(Conflict) as refused:
        settle_payout(books.session, payout_id=payout_id, at=books.now)
    assert refused.value.code == "transfer_reversed"
    return_payout(books.session, payout_id=payout_id, at=books.now)
    assert books.balances() == before


def test_a_second_transfer_for_a_payout_is_refused(books: Books) -> None:
    books.sell(1000)
    books.release()
    payout_id, _ = books.reserve()
    fund_payout(books.session, payout_id=payout_id, at=books.now, stripe_ref="tr_1")
    with pytest.raises(Conflict) as refused:
        fund_payout(books.session, payout_id=payout_id, at=books.now, stripe_ref="tr_2")
    assert refused.value.code == "journal_differs"


def test_steps_follow_their_order(books: Books) -> None:
    with pytest.raises(NotFound) as unknown:
        settle_payout(books.session, payout_id=new_id(), at=books.now)
    assert unknown.value.code == "payout_unknown"
    books.sell(1000)
    books.release()
    payout_id, _ = books.reserve()
    with pytest.raises(Conflict) as unfunded:
        settle_payout(books.session, payout_id=payout_id, at=books.now)
    assert unfunded.value.code == "payout_not_funded"
    with pytest.raises(NotFound) as nothing:
        reverse_transfer(books.session, payout_id=payout_id, at=books.now, stripe_ref="trr_1")
    assert nothing.value.code == "payout_not_funded"


def test_what_a_payout_gives_back_pays_debt_first(books: Books) -> None:
    charge_id = books.sell(1000)
    books.release()
    payout_id, _ = books.reserve()
    books.refund(charge_id, 500)
    assert books.balances()["debt"] == -400
    return_payout(books.session, payout_id=payout_id, at=books.now)
    assert "debt" not in books.balances()
    assert books.balances()["available"] == 400


# --- writing off -----------------------------------------------------------------------------


def give_up(books: Books, amount_minor: int, write_off_id: str) -> bool:
    return write_off(
        books.session,
        write_off_id=write_off_id,
        creator_id=books.creator_id,
        currency="USD",
        amount_minor=amount_minor,
        at=books.now,
    ).is_new


def test_a_debt_is_written_off_once_and_no_more_than_is_owed(books: Books) -> None:
    in_debt(books, 800)
    assert give_up(books, 500, "1")
    assert not give_up(books, 500, "1")
    with pytest.raises(Conflict) as refused:
        give_up(books, 301, "2")
    assert refused.value.code == "write_off_exceeds_debt"
    assert give_up(books, 300, "3")
    assert "debt" not in books.balances()
    assert books.balances()["bad_debt"] == -800
    with pytest.raises(Invalid):
        give_up(books, 0, "4")
