"""How a refund may go, and how much of a charge goes back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.errors import AccessDenied, Conflict, Invalid
from domain.refunds import (
    CLAIMED,
    CREATORS_MAY_REFUND,
    NEXT,
    Refundable,
    RefundReason,
    RefundState,
    after_news,
    amount_to_refund,
    check_creator_may_refund,
)

S = RefundState
PAID_AT = datetime(2026, 3, 1, tzinfo=UTC)


def charge(*claimed: int, is_disputed: bool = False) -> Refundable:
    return Refundable("charge", 1_000, PAID_AT, is_disputed, claimed)


@pytest.mark.parametrize(
    ("state", "said", "then"),
    [
        (S.REQUESTED, "pending", S.PENDING),
        (S.REQUESTED, "succeeded", S.SUCCEEDED),
        (S.REQUESTED, "requires_action", S.PENDING),
        (S.REQUESTED, "failed", S.FAILED),
        (S.PENDING, "pending", S.PENDING),
        (S.PENDING, "succeeded", S.SUCCEEDED),
        (S.PENDING, "failed", S.FAILED),
        (S.PENDING, "canceled", S.FAILED),
        (S.SUCCEEDED, "failed", S.FAILED),
        (S.SUCCEEDED, "pending", S.SUCCEEDED),  # Older news, come later.
        (S.FAILED, "succeeded", S.FAILED),
        (S.FAILED, "pending", S.FAILED),
        (S.REFUSED, "succeeded", S.REFUSED),
    ],
)
def test_what_stripe_says_of_a_refund(state: S, said: str, then: S) -> None:
    assert after_news(state, said) is then


def test_a_status_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(Invalid) as caught:
        after_news(S.PENDING, "teleported")
    assert caught.value.code == "refund_status_unknown"


def test_only_what_is_over_frees_its_amount() -> None:
    assert set(S) - CLAIMED == {state for state in S if not NEXT[state]}


@pytest.mark.parametrize(
    ("claimed", "wanted", "amount"),
    [
        ((), None, 1_000),
        ((), 1, 1),
        ((), 1_000, 1_000),
        ((300,), None, 700),
        ((300, 699), 1, 1),
        ((300, 699), None, 1),
    ],
)
def test_how_much_goes_back(claimed: tuple[int, ...], wanted: int | None, amount: int) -> None:
    assert amount_to_refund(charge(*claimed), wanted) == amount


@pytest.mark.parametrize(
    ("claimed", "wanted", "left"),
    [((), 1_001, 1_000), ((300,), 701, 700), ((1_000,), None, 0), ((600, 400), 1, 0)],
)
def test_refunds_together_are_not_more_than_was_paid(
    claimed: tuple[int, ...], wanted: int | None, left: int
) -> None:
    with pytest.raises(Conflict) as caught:
        amount_to_refund(charge(*claimed), wanted)
    assert caught.value.code == "refund_exceeds_charge"
    assert caught.value.facts["refundable_minor"] == left


@pytest.mark.parametrize("wanted", [0, -1])
def test_nothing_is_no_refund(wanted: int) -> None:
    with pytest.raises(Invalid) as caught:
        amount_to_refund(charge(), wanted)
    assert caught.value.code == "refund_of_nothing"


def test_what_is_disputed_is_not_refunded_as_well() -> None:
    with pytest.raises(Conflict) as caught:
        amount_to_refund(charge(is_disputed=True), 1)
    assert caught.value.code == "charge_disputed"


def test_creators_give_back_young_sales_only() -> None:
    check_creator_may_refund(PAID_AT, PAID_AT + CREATORS_MAY_REFUND)
    with pytest.raises(AccessDenied) as caught:
        check_creator_may_refund(PAID_AT, PAID_AT + CREATORS_MAY_REFUND + timedelta(seconds=1))
    assert caught.value.code == "sale_too_old"


def test_stripe_hears_one_of_the_three_reasons_it_knows() -> None:
    known = {"duplicate", "fraudulent", "requested_by_customer"}
    assert {reason.for_stripe for reason in RefundReason} == known
