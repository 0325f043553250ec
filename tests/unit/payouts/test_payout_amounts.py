"""How much is paid out: whole steps of the currency, from its least payout on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Invalid
from domain.money import EXPONENTS, payout_step_minor
from domain.payouts.amounts import has_minimum, minimum_minor, payable_minor

CURRENCIES = st.sampled_from(sorted(EXPONENTS))


@pytest.mark.parametrize(
    ("currency", "minimum"),
    [("USD", 2_000), ("EUR", 2_000), ("JPY", 4_000), ("HUF", 400_000), ("KWD", 10_000)],
)
def test_the_least_payout_is_in_minor_units(currency: str, minimum: int) -> None:
    assert minimum_minor(currency) == minimum


def test_the_least_payout_is_one_that_the_currency_allows() -> None:
    for currency in filter(has_minimum, EXPONENTS):
        assert minimum_minor(currency) % payout_step_minor(currency) == 0


def test_no_payout_in_a_currency_of_which_nobody_has_said_the_least() -> None:
    assert not has_minimum("AFN")
    with pytest.raises(Invalid) as refused:
        minimum_minor("AFN")
    assert refused.value.code == "payout_currency_unknown"


@pytest.mark.parametrize(
    ("available", "currency", "payable"),
    [
        (12_345, "USD", 12_345),
        (12_345, "JPY", 12_345),
        (1_234_567, "HUF", 1_234_500),
        (1_234_599, "TWD", 1_234_500),
        (99, "HUF", 0),
        (12_345, "KWD", 12_340),
        (12_345, "ISK", 12_300),
        (0, "USD", 0),
        (-5, "USD", 0),
    ],
)
def test_what_can_be_paid_out_of_what_is_available(
    available: int, currency: str, payable: int
) -> None:
    assert payable_minor(available, currency) == payable


@given(st.lists(st.integers(0, 10**7), max_size=20), CURRENCIES)
def test_remainders_are_carried_forward_and_never_lost(earned: list[int], currency: str) -> None:
    available = paid = 0
    for each in earned:
        available += each
        payable = payable_minor(available, currency)
        assert payable % payout_step_minor(currency) == 0
        paid, available = paid + payable, available - payable
        assert 0 <= available < payout_step_minor(currency)
    assert paid + available == sum(earned)
