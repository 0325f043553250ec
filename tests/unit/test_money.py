"""Money is whole minor units of one currency, and parts sum to their whole."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Invalid
from domain.money import (
    BPS,
    EXPONENTS,
    Money,
    charge_step_minor,
    exponent_of,
    payout_step_minor,
    share_of,
    split_by_weights,
)

AMOUNTS = st.integers(-(10**15), 10**15)
WEIGHTS = st.lists(st.integers(0, 10**12), min_size=1, max_size=8).filter(any)


@given(AMOUNTS, WEIGHTS)
def test_parts_sum_to_the_whole_and_lie_within_a_unit_of_their_share(
    total: int, weights: list[int]
) -> None:
    parts = split_by_weights(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - Fraction(total * weight, sum(weights))) < 1
        assert part * total >= 0
        assert weight > 0 or part == 0


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (-100, [1, 1, 1], [-34, -33, -33]),
        (2, [1, 1, 1], [1, 1, 0]),
        (1, [0, 1, 9], [0, 0, 1]),
        (0, [5, 5], [0, 0]),
        (1000, [160, 168, 672], [160, 168, 672]),
        (333, [160, 168, 672], [53, 56, 224]),
    ],
)
def test_largest_remainders(total: int, weights: list[int], parts: list[int]) -> None:
    assert split_by_weights(total, weights) == parts


@pytest.mark.parametrize("weights", [[], [0, 0], [3, -1]])
def test_weights_that_split_nothing_are_refused(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="weights"):
        split_by_weights(10, weights)


@given(AMOUNTS, st.integers(0, BPS))
def test_a_share_is_the_nearest_unit(amount: int, bps: int) -> None:
    share = share_of(amount, bps)
    assert abs(share - Fraction(amount * bps, BPS)) <= Fraction(1, 2)
    assert share == -share_of(-amount, bps)
    assert 0 <= abs(share) <= abs(amount)


@pytest.mark.parametrize(
    ("amount", "bps", "share"),
    [(999, 2000, 200), (2, 2000, 0), (5, 1000, 1), (-5, 1000, -1), (100, 0, 0), (7, BPS, 7)],
)
def test_halves_go_away_from_zero(amount: int, bps: int, share: int) -> None:
    assert share_of(amount, bps) == share


@pytest.mark.parametrize("bps", [-1, BPS + 1])
def test_no_share_is_outside_the_whole(bps: int) -> None:
    with pytest.raises(ValueError, match="basis points"):
        share_of(100, bps)


@pytest.mark.parametrize(
    ("money", "written"),
    [
        (Money(1234, "USD"), "12.34 USD"),
        (Money(-5, "EUR"), "-0.05 EUR"),
        (Money(0, "GBP"), "0.00 GBP"),
        (Money(-500, "JPY"), "-500 JPY"),
        (Money(1250, "KWD"), "1.250 KWD"),
    ],
)
def test_formatted(money: Money, written: str) -> None:
    assert money.formatted == written


def test_arithmetic_stays_in_one_currency() -> None:
    assert Money(5, "USD") + Money(7, "USD") == Money(12, "USD")
    assert Money(5, "USD") - Money(7, "USD") == -Money(2, "USD")
    assert Money(5, "USD") < Money(7, "USD") <= Money(7, "USD")
    assert Money(7, "USD") > Money(5, "USD") >= Money(5, "USD")
    assert not Money(0, "USD")
    assert Money(100, "USD").split([2, 1]) == [Money(67, "USD"), Money(33, "USD")]
    assert Money(5, "USD") != Money(5, "EUR")
    one, other = Money(5, "USD"), Money(5, "EUR")
    for operation in (
        lambda: one + other,
        lambda: one - other,
        lambda: one < other,
        lambda: one <= other,
        lambda: one > other,
        lambda: one >= other,
    ):
        with pytest.raises(Invalid) as refused:
            operation()
        assert refused.value.code == "currency_mismatch"


@pytest.mark.parametrize("code", ["usd", "XXX", "", "US"])
def test_an_unknown_currency_is_refused(code: str) -> None:
    for use in (exponent_of, charge_step_minor, payout_step_minor, lambda code: Money(1, code)):
        with pytest.raises(Invalid) as refused:
            use(code)
        assert refused.value.code == "currency_unknown"


@pytest.mark.parametrize("amount", [1.0, True, "1", None])
def test_only_an_int_is_an_amount(amount: object) -> None:
    with pytest.raises(Invalid) as refused:
        Money(amount, "USD")  # type: ignore[arg-type]
    assert refused.value.code == "amount_not_whole"


def test_the_table_of_currencies() -> None:
    assert {code for code in EXPONENTS if len(code) != 3 or code != code.upper()} == set()
    assert EXPONENTS["USD"] == 2
    assert EXPONENTS["JPY"] == EXPONENTS["KRW"] == EXPONENTS["XOF"] == 0
    assert EXPONENTS["BHD"] == EXPONENTS["TND"] == 3
    # Stripe counts hundredths of these two, which ISO 4217 does not have.
    assert EXPONENTS["ISK"] == EXPONENTS["UGX"] == 2
    assert (charge_step_minor("HUF"), payout_step_minor("HUF")) == (1, 100)
    assert (charge_step_minor("KWD"), payout_step_minor("KWD")) == (10, 10)
    assert (charge_step_minor("USD"), payout_step_minor("USD")) == (1, 1)
