"""How a dispute may go, what its balance transactions are, and when it is answered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.disputes import (
    Answer,
    AnswerPolicy,
    BalanceLine,
    DisputeState,
    EvidencePolicy,
    after_news,
    check_may_decide,
    read_balance,
    state_of,
)
from domain.errors import Conflict, Invalid

S = DisputeState
DUE = datetime(2026, 3, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("state", "said", "then"),
    [
        (S.WARNING_NEEDS_RESPONSE, S.WARNING_UNDER_REVIEW, S.WARNING_UNDER_REVIEW),
        (S.WARNING_NEEDS_RESPONSE, S.WARNING_CLOSED, S.WARNING_CLOSED),
        (S.WARNING_NEEDS_RESPONSE, S.NEEDS_RESPONSE, S.NEEDS_RESPONSE),
        (S.WARNING_UNDER_REVIEW, S.NEEDS_RESPONSE, S.NEEDS_RESPONSE),
        (S.WARNING_UNDER_REVIEW, S.WARNING_NEEDS_RESPONSE, S.WARNING_UNDER_REVIEW),
        (S.WARNING_CLOSED, S.NEEDS_RESPONSE, S.NEEDS_RESPONSE),
        (S.WARNING_CLOSED, S.LOST, S.LOST),
        (S.WARNING_CLOSED, S.WARNING_UNDER_REVIEW, S.WARNING_CLOSED),
        (S.NEEDS_RESPONSE, S.UNDER_REVIEW, S.UNDER_REVIEW),
        (S.NEEDS_RESPONSE, S.WARNING_CLOSED, S.WARNING_CLOSED),
        (S.NEEDS_RESPONSE, S.LOST, S.LOST),
        (S.UNDER_REVIEW, S.NEEDS_RESPONSE, S.UNDER_REVIEW),
        (S.UNDER_REVIEW, S.WON, S.WON),
        (S.WON, S.LOST, S.WON),
        (S.LOST, S.WON, S.LOST),
        (S.LOST, S.UNDER_REVIEW, S.LOST),
    ],
)
def test_what_stripe_says_of_a_dispute(state: S, said: S, then: S) -> None:
    assert after_news(state, said) is then


def test_a_status_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(Invalid) as caught:
        state_of("charge_refunded")
    assert caught.value.code == "dispute_status_unknown"


def line(name: str, amount: int, fee: int = 0, currency: str = "USD") -> BalanceLine:
    return BalanceLine(name, amount, fee, currency)


TAKEN, BACK = line("txn_1", -1_000, 1_500), line("txn_2", 1_000)


@pytest.mark.parametrize("lines", [[], [TAKEN], [TAKEN, BACK], [BACK, TAKEN]])
def test_balance_transactions_are_told_apart_in_any_order(lines: list[BalanceLine]) -> None:
    moved = read_balance(lines, amount_minor=1_000, currency="USD")
    assert moved.taken == (TAKEN if TAKEN in lines else None)
    assert moved.given_back == (BACK if BACK in lines else None)


def test_a_fee_by_itself_is_a_fee() -> None:
    countered = line("txn_3", 0, 1_500)
    moved = read_balance([TAKEN, countered], amount_minor=1_000, currency="USD")
    assert moved.fees == (countered,)


@pytest.mark.parametrize(
    "odd",
    [
        line("txn_9", -999),
        line("txn_9", 500),
        line("txn_9", -1_000, currency="EUR"),
        line("txn_9", -1_000),  # A second time.
    ],
)
def test_another_amount_is_for_a_person_to_look_at(odd: BalanceLine) -> None:
    with pytest.raises(Conflict) as caught:
        read_balance([TAKEN, odd], amount_minor=1_000, currency="USD")
    assert caught.value.code == "dispute_amounts_differ"


@pytest.mark.parametrize(
    ("state", "decided", "hours_before", "answer"),
    [
        (S.NEEDS_RESPONSE, None, 25, None),
        (S.NEEDS_RESPONSE, None, 24, Answer.SUBMIT),
        (S.NEEDS_RESPONSE, None, 1, Answer.SUBMIT),
        (S.WARNING_NEEDS_RESPONSE, None, 24, Answer.SUBMIT),
        (S.NEEDS_RESPONSE, Answer.ACCEPT, 200, Answer.ACCEPT),
        (S.NEEDS_RESPONSE, Answer.SUBMIT, 200, Answer.SUBMIT),
        (S.UNDER_REVIEW, Answer.SUBMIT, 1, None),
        (S.LOST, Answer.ACCEPT, 1, None),
    ],
)
def test_when_a_dispute_is_answered(
    state: S, decided: Answer | None, hours_before: int, answer: Answer | None
) -> None:
    due = AnswerPolicy().due_answer(
        state=state, decided=decided, due_by=DUE, now=DUE - hours_before * HOUR
    )
    assert due is answer


def test_where_staff_answer_nothing_goes_by_itself() -> None:
    policy = AnswerPolicy(EvidencePolicy.WAIT)
    assert policy.submits_at(DUE) is None
    for decided in (None, Answer.ACCEPT):
        due = policy.due_answer(state=S.NEEDS_RESPONSE, decided=decided, due_by=DUE, now=DUE)
        assert due is decided


def test_what_has_no_date_waits_for_staff() -> None:
    due = AnswerPolicy().due_answer(state=S.NEEDS_RESPONSE, decided=None, due_by=None, now=DUE)
    assert due is None


@pytest.mark.parametrize(
    ("state", "decided", "code"),
    [
        (S.UNDER_REVIEW, None, "dispute_answered"),
        (S.WON, None, "dispute_answered"),
        (S.NEEDS_RESPONSE, Answer.SUBMIT, "dispute_decided"),
        (S.WARNING_NEEDS_RESPONSE, None, "inquiry_not_accepted"),
    ],
)
def test_a_dispute_is_decided_once(state: S, decided: Answer | None, code: str) -> None:
    with pytest.raises(Conflict) as caught:
        check_may_decide(state, decided, Answer.ACCEPT)
    assert caught.value.code == code


def test_the_same_decision_again_is_none() -> None:
    check_may_decide(S.UNDER_REVIEW, Answer.SUBMIT, Answer.SUBMIT)
