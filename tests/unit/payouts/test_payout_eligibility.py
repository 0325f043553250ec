"""Who is paid out, how much, and the first reason why not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.payouts.eligibility import (
    SENTENCES,
    AccountFacts,
    Eligible,
    Refusal,
    Refused,
    Standing,
    decide_payout,
)
from domain.payouts.review import ReviewPolicy, ReviewReason

ACCOUNT = AccountFacts(details_submitted=True, payouts_enabled=True, default_currency="USD")
WELL = Standing("USD", available_minor=50_000, owed_minor=0, account=ACCOUNT)


def account(**changes: Any) -> AccountFacts:
    return replace(ACCOUNT, **changes)


@pytest.mark.parametrize(
    ("changes", "reason", "facts"),
    [
        ({"is_suspended": True}, Refusal.SUSPENDED, {}),
        ({"is_blocked": True}, Refusal.BLOCKED, {}),
        ({"account": None}, Refusal.NO_ACCOUNT, {}),
        (
            {"account": account(details_submitted=False, requirements_due=4)},
            Refusal.NOT_ONBOARDED,
            {"requirements_due": 4},
        ),
        (
            {"account": account(payouts_enabled=False, disabled_reason="requirements.past_due")},
            Refusal.PAYOUTS_DISABLED,
            {"disabled_reason": "requirements.past_due", "requirements_due": 0},
        ),
        (
            {"account": account(default_currency="EUR")},
            Refusal.OTHER_CURRENCY,
            {"currency": "USD", "account_currency": "EUR"},
        ),
        ({"owed_minor": 1}, Refusal.IN_DEBT, {"owed_minor": 1}),
        ({"held_minor": 7}, Refusal.DISPUTED, {"held_minor": 7}),
        ({"is_busy": True}, Refusal.BUSY, {"currency": "USD"}),
        ({"available_minor": 0}, Refusal.NOTHING_AVAILABLE, {"currency": "USD"}),
        (
            {"available_minor": 1_999},
            Refusal.BELOW_MINIMUM,
            {"currency": "USD", "amount_minor": 1_999, "minimum_minor": 2_000},
        ),
        (
            {"platform_minor": 49_999},
            Refusal.PLATFORM_SHORT,
            {"currency": "USD", "amount_minor": 50_000, "platform_minor": 49_999},
        ),
    ],
)
def test_the_reason_and_its_facts(
    changes: dict[str, Any], reason: Refusal, facts: dict[str, Any]
) -> None:
    decided = decide_payout(replace(WELL, **changes))
    assert decided == Refused(reason, facts)


def test_a_currency_without_a_least_payout_is_refused() -> None:
    standing = replace(WELL, currency="AFN", account=account(default_currency="AFN"))
    decided = decide_payout(standing)
    assert isinstance(decided, Refused)
    assert decided.reason is Refusal.CURRENCY_UNKNOWN


@pytest.mark.parametrize(
    ("changes", "decided"),
    [
        ({}, Eligible(50_000, 0)),
        ({"available_minor": 2_000}, Eligible(2_000, 0)),
        ({"platform_minor": 50_000}, Eligible(50_000, 0)),
        (
            {
                "currency": "HUF",
                "available_minor": 1_234_567,
                "account": account(default_currency="HUF"),
            },
            Eligible(1_234_500, 67),
        ),
    ],
)
def test_how_much(changes: dict[str, Any], decided: Eligible) -> None:
    assert decide_payout(replace(WELL, **changes)) == decided


def test_of_several_reasons_the_one_that_the_creator_can_do_least_about_is_said() -> None:
    worst = Standing("USD", 0, 500, None, is_suspended=True, is_blocked=True, is_busy=True)
    decided = decide_payout(worst)
    assert isinstance(decided, Refused)
    assert decided.reason is Refusal.SUSPENDED


def test_every_reason_has_its_sentence() -> None:
    assert set(SENTENCES) == set(Refusal)


@pytest.mark.parametrize(
    ("amount", "last", "policy", "reasons"),
    [
        (5_000, "acct_1", ReviewPolicy(), ()),
        (5_000, None, ReviewPolicy(), (ReviewReason.FIRST,)),
        (5_000, None, ReviewPolicy(first=False), ()),
        (5_000, "acct_0", ReviewPolicy(), (ReviewReason.ACCOUNT_CHANGED,)),
        (99_999, "acct_1", ReviewPolicy(), ()),
        (100_000, "acct_1", ReviewPolicy(), (ReviewReason.LARGE,)),
        (4_000, "acct_1", ReviewPolicy(large_minimums=2), (ReviewReason.LARGE,)),
        (100_000, None, ReviewPolicy(), (ReviewReason.FIRST, ReviewReason.LARGE)),
    ],
)
def test_what_waits_for_staff(
    amount: int, last: str | None, policy: ReviewPolicy, reasons: tuple[ReviewReason, ...]
) -> None:
    found = policy.reasons(
        amount_minor=amount, currency="USD", account_id="acct_1", last_account_id=last
    )
    assert found == reasons
