"""Rules that hold for every journal, whatever happens in whatever order."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.ledger.accounts import AccountKind, JournalDraft, JournalKind
from domain.ledger.lots import NOTHING, Lot, Parts, draw, next_return
from domain.ledger.postings import parts_of_sale
from tests.unit.ledger.play import Play

PARTS = st.builds(Parts, *[st.integers(0, 5000)] * 3).filter(lambda parts: parts.gross_minor > 0)


def lot_of(parts: Parts) -> Lot:
    return Lot("lot", "creator", "USD", parts, released=False)


# --- splitting -------------------------------------------------------------------------------


@given(st.integers(1, 10**9), st.data(), st.integers(0, 10_000))
def test_a_sale_is_wholly_split(gross: int, data: st.DataObject, bps: int) -> None:
    tax = data.draw(st.integers(0, gross - 1))
    parts = parts_of_sale(gross_minor=gross, tax_minor=tax, fee_bps=bps)
    assert parts.gross_minor == gross
    assert min(parts.tax_minor, parts.commission_minor, parts.share_minor) >= 0


@given(PARTS, st.data())
def test_refunds_of_any_sizes_end_exactly_at_the_sales_own_parts(
    parts: Parts, data: st.DataObject
) -> None:
    lot = lot_of(parts)
    sizes = data.draw(st.lists(st.integers(1, lot.returnable_minor), max_size=12))
    for size in [*sizes, lot.returnable_minor]:
        amount = min(size, lot.returnable_minor)
        returned = next_return(lot, amount)
        assert returned.gross_minor == amount
        assert min(returned.tax_minor, returned.commission_minor, returned.share_minor) >= 0
        lot = replace(lot, returned=lot.returned + returned)
        left = parts - lot.returned
        assert min(left.tax_minor, left.commission_minor, left.share_minor) >= 0
    assert lot.returned == parts


@given(PARTS, st.data())
def test_each_refund_leaves_the_parts_within_a_unit_of_their_proportions(
    parts: Parts, data: st.DataObject
) -> None:
    lot = lot_of(parts)
    for _ in range(data.draw(st.integers(1, 6))):
        if not lot.returnable_minor:
            break
        amount = data.draw(st.integers(1, lot.returnable_minor))
        lot = replace(lot, returned=lot.returned + next_return(lot, amount))
        total = lot.returned.gross_minor
        for had, gone in (
            (parts.tax_minor, lot.returned.tax_minor),
            (parts.commission_minor, lot.returned.commission_minor),
            (parts.share_minor, lot.returned.share_minor),
        ):
            assert abs(gone - total * had / parts.gross_minor) <= 1


@given(st.integers(0, 2**32))
def test_refunds_end_exactly_even_when_some_have_failed(seed: int) -> None:
    """Of small sales, where a unit is much: a failed one leaves the parts beside proportion."""
    random = Random(seed)
    parts = Parts(random.randint(0, 9), random.randint(0, 9), random.randint(1, 9))
    lot, made = lot_of(parts), list[Parts]()
    for _ in range(30):
        if made and random.random() < 0.5:
            failed = made.pop(random.randrange(len(made)))
            lot = replace(lot, returned=lot.returned - failed)
        elif lot.returnable_minor:
            made.append(next_return(lot, random.randint(1, min(4, lot.returnable_minor))))
            lot = replace(lot, returned=lot.returned + made[-1])
            last, left = made[-1], parts - lot.returned
            assert min(last.tax_minor, last.commission_minor, last.share_minor) >= 0
            assert min(left.tax_minor, left.commission_minor, left.share_minor) >= 0
    assert lot.returned + next_return(lot, lot.returnable_minor) == parts


@pytest.mark.parametrize("amount", [-1, 1001])
def test_what_can_not_be_returned(amount: int) -> None:
    with pytest.raises(ValueError, match="can't be returned"):
        next_return(lot_of(Parts(0, 200, 800)), amount)


def test_nothing_returned_is_borne_by_nobody() -> None:
    assert next_return(lot_of(Parts(1, 200, 800)), 0) == NOTHING


def test_a_lot_that_comes_twice_is_drawn_from_once() -> None:
    lot = lot_of(Parts(0, 0, 100))
    drawn = draw([lot, lot], 150)
    assert (drawn.takings, drawn.short_minor) == (((lot, 100),), 50)


# --- drafts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "creator_id", "match"),
    [
        ({}, None, "two entries"),
        ({AccountKind.COMMISSION: 1}, None, "two entries"),
        ({AccountKind.COMMISSION: 0, AccountKind.ROUNDING: 0}, None, "none zero"),
        ({AccountKind.COMMISSION: 1, AccountKind.ROUNDING: 1}, None, "does not balance"),
        ({AccountKind.PENDING: 1, AccountKind.ROUNDING: -1}, None, "of whom"),
    ],
)
def test_a_wrong_draft_is_refused(
    entries: dict[AccountKind, int], creator_id: str | None, match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        JournalDraft("key", JournalKind.SALE, "USD", entries, creator_id)


# --- any sequence ----------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32))
def test_whatever_happens_the_books_balance_and_lots_are_balances(seed: int) -> None:
    play = Play(Random(seed))
    for _ in range(60):
        play.step()
    play.end()
