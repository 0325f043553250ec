"""Prices of periods, upgrades, and of tiers that change theirs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import BPS
from domain.subscriptions.periods import PERIOD_MONTHS, period_of
from domain.subscriptions.pricing import (
    CHARGE_MINOR_MIN,
    Plan,
    RenewalPrice,
    RenewalRule,
    TierPrice,
    announce_price,
    price_at_renewal,
    price_of_period,
    quote,
    unused_of,
    upgrade_now,
)
from domain.subscriptions.promos import Discount, PromoDuration, PromoKind

NOW = datetime(2027, 1, 31, 9, tzinfo=UTC)
NOTICE = timedelta(days=30)
HALF = Discount(PromoKind.PERCENT, 5_000)
HALF_FOR_3 = Discount(PromoKind.PERCENT, 5_000, PromoDuration.MONTHS, 3)
FREE_FOR_3 = Discount(PromoKind.PERCENT, BPS, PromoDuration.MONTHS, 3)
FREE_FOREVER = Discount(PromoKind.PERCENT, BPS, PromoDuration.FOREVER)
TWO_OFF = Discount(PromoKind.AMOUNT, 200, PromoDuration.FOREVER)
TRIAL = Discount(PromoKind.TRIAL, 14)


def plan(**changes: object) -> Plan:
    return replace(Plan(price_minor=1_000, currency="USD"), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("offered", "totals"),
    [
        # Totals of the first periods, one after another.
        (plan(), [1_000, 1_000]),
        (plan(price_minor=0), [0, 0]),
        (plan(months=3, bundle_bps=1_000), [2_700, 2_700]),
        (plan(months=12, bundle_bps=3_333), [8_000, 8_000]),
        (plan(discount=HALF), [500, 1_000, 1_000]),
        (plan(discount=HALF_FOR_3), [500, 500, 500, 1_000]),
        (plan(discount=FREE_FOR_3), [0, 0, 0, 1_000]),
        (plan(discount=FREE_FOREVER), [0, 0, 0, 0]),
        (plan(discount=TWO_OFF), [800, 800, 800]),
        (plan(discount=TRIAL), [1_000, 1_000]),
        # Three months of twelve at half the price.
        (plan(months=12, discount=HALF_FOR_3), [10_500, 12_000]),
        (plan(months=3, discount=HALF_FOR_3), [1_500, 3_000]),
        # The promo comes off what the bundle left.
        (plan(months=3, bundle_bps=1_000, discount=HALF), [1_350, 2_700]),
        (plan(months=12, discount=TWO_OFF), [11_800, 11_800]),
        # 99 % off 10 USD can't be charged, so it is the least that can.
        (plan(discount=Discount(PromoKind.PERCENT, 9_900)), [50, 1_000]),
        (plan(discount=Discount(PromoKind.AMOUNT, 999)), [50, 1_000]),
        (plan(discount=Discount(PromoKind.AMOUNT, 5_000)), [0, 1_000]),
        (plan(currency="GBP", discount=Discount(PromoKind.AMOUNT, 999)), [30, 1_000]),
    ],
)
def test_totals_period_by_period(offered: Plan, totals: list[int]) -> None:
    befores = range(0, len(totals) * offered.months, offered.months)
    told = [price_of_period(offered, months_before=before) for before in befores]
    assert [each.total_minor for each in told] == totals


DISCOUNTS = st.one_of(
    st.none(),
    st.builds(
        Discount,
        st.just(PromoKind.PERCENT),
        st.integers(100, BPS),
        st.just(PromoDuration.MONTHS),
        st.integers(1, 24),
    ),
    st.builds(Discount, st.just(PromoKind.AMOUNT), st.integers(1, 10**6)),
    st.builds(
        Discount, st.just(PromoKind.AMOUNT), st.integers(1, 10**6), st.just(PromoDuration.FOREVER)
    ),
    st.builds(Discount, st.just(PromoKind.TRIAL), st.integers(1, 90)),
)
PLANS = st.builds(
    Plan,
    price_minor=st.one_of(st.just(0), st.integers(300, 50_000)),
    currency=st.sampled_from(sorted(CHARGE_MINOR_MIN)),
    months=st.sampled_from(PERIOD_MONTHS),
    bundle_bps=st.integers(0, 9_000),
    discount=DISCOUNTS,
    trial_days=st.integers(0, 90),
)


@given(PLANS, st.integers(0, 30))
def test_a_price_is_whole_and_can_be_charged_or_is_nothing(offered: Plan, periods: int) -> None:
    price = price_of_period(offered, months_before=periods * offered.months)
    assert price.list_minor == offered.price_minor * offered.months
    off = price.bundle_discount_minor + price.promo_discount_minor
    assert price.list_minor - off == price.total_minor
    assert price.bundle_discount_minor >= 0
    assert price.promo_discount_minor >= 0
    assert price.total_minor == 0 or price.total_minor >= min(
        CHARGE_MINOR_MIN[offered.currency], price.list_minor - price.bundle_discount_minor
    )


@given(PLANS)
def test_prices_never_fall_from_one_period_to_the_next(offered: Plan) -> None:
    """A promo ends; nothing begins by itself."""
    befores = range(0, 40, offered.months)
    totals = [price_of_period(offered, months_before=each).total_minor for each in befores]
    assert totals == sorted(totals)


@given(PLANS)
def test_a_quote_agrees_with_the_periods(offered: Plan) -> None:
    told = quote(offered, at=NOW)
    assert told.first == price_of_period(offered)
    assert told.renewal == price_of_period(offered, months_before=offered.months)
    assert told.regular.promo_discount_minor == 0
    assert told.first.total_minor <= told.renewal.total_minor <= told.regular.total_minor
    assert told.due_now_minor == (0 if told.trial_days else told.first.total_minor)
    if offered.price_minor == 0:
        assert told.trial_days == 0
        assert told.first_charge_at is None
    if told.due_now_minor:
        assert told.first_charge_at == NOW


def test_a_trial_moves_all_that_is_charged() -> None:
    told = quote(plan(trial_days=7, discount=HALF), at=NOW)
    assert (told.trial_days, told.due_now_minor) == (7, 0)
    assert told.first_charge_at == NOW + timedelta(days=7)
    assert told.first.total_minor == 500
    assert told.discount_until == datetime(2027, 3, 7, 9, tzinfo=UTC)


def test_of_two_trials_the_longer_one_counts() -> None:
    assert quote(plan(trial_days=7, discount=TRIAL), at=NOW).trial_days == 14
    assert quote(plan(trial_days=30, discount=TRIAL), at=NOW).trial_days == 30


def test_a_free_beginning_says_when_it_costs_something() -> None:
    assert quote(plan(discount=FREE_FOR_3), at=NOW).first_charge_at == datetime(
        2027, 4, 30, 9, tzinfo=UTC
    )
    assert quote(plan(discount=FREE_FOREVER), at=NOW).first_charge_at is None


@pytest.mark.parametrize(
    ("discount", "until"),
    [
        (None, None),
        (TRIAL, None),
        (FREE_FOREVER, None),
        (HALF, datetime(2027, 2, 28, 9, tzinfo=UTC)),
        (HALF_FOR_3, datetime(2027, 4, 30, 9, tzinfo=UTC)),
    ],
)
def test_a_quote_says_until_when_its_promo_counts(
    discount: Discount | None, until: datetime | None
) -> None:
    assert quote(plan(discount=discount), at=NOW).discount_until == until


FEBRUARY = period_of(datetime(2027, 2, 1, tzinfo=UTC), months=1, number=1)


@pytest.mark.parametrize(
    ("days", "rest", "credit", "due"),
    [
        (0, 2_800, 1_400, 1_400),
        (14, 1_400, 700, 700),
        (27, 100, 50, 50),
        (28, 0, 0, 0),
        (40, 0, 0, 0),
        (-3, 2_800, 1_400, 1_400),
    ],
)
def test_an_upgrade_costs_the_difference_for_the_rest(
    days: int, rest: int, credit: int, due: int
) -> None:
    at = FEBRUARY.starts_at + timedelta(days=days)
    told = upgrade_now(paid_minor=1_400, price_minor=2_800, currency="USD", period=FEBRUARY, at=at)
    assert (told.price_minor, told.credit_minor, told.due_minor) == (rest, credit, due)


def test_an_upgrade_that_is_too_cheap_to_charge_is_free() -> None:
    at = FEBRUARY.ends_at - timedelta(hours=23)
    told = upgrade_now(paid_minor=1_400, price_minor=2_800, currency="USD", period=FEBRUARY, at=at)
    assert told.price_minor - told.credit_minor == 48
    assert told.due_minor == 0


AMOUNTS = st.integers(0, 10**7)
MOMENTS = st.datetimes(datetime(2026, 12, 1), datetime(2027, 4, 1), timezones=st.just(UTC))


@given(AMOUNTS, AMOUNTS, MOMENTS)
def test_a_credit_is_never_negative_nor_above_what_was_paid(
    paid: int, price: int, at: datetime
) -> None:
    told = upgrade_now(paid_minor=paid, price_minor=price, currency="USD", period=FEBRUARY, at=at)
    assert 0 <= told.credit_minor <= paid
    assert 0 <= told.due_minor <= told.price_minor <= price


@given(AMOUNTS, MOMENTS, MOMENTS)
def test_what_is_unused_only_falls(paid: int, one: datetime, other: datetime) -> None:
    earlier, later = sorted((one, other))
    assert unused_of(paid, FEBRUARY, at=earlier) >= unused_of(paid, FEBRUARY, at=later)


# --- prices that change ----------------------------------------------------------------------


def day(count: int) -> datetime:
    return NOW + timedelta(days=count)


def history_of(*changes: tuple[int, int]) -> list[TierPrice]:
    """Prices by the day of their announcement."""
    history: list[TierPrice] = []
    for on, price_minor in changes:
        history.append(announce_price(price_minor, history=history, at=day(on), notice=NOTICE))
    return history


@pytest.mark.parametrize(
    ("changes", "renews_on", "agreed", "price", "rule"),
    [
        ([(0, 1_000)], 40, None, 1_000, RenewalRule.SAME),
        ([], 40, None, 1_000, RenewalRule.SAME),
        # A rise waits for its notice and for consent.
        ([(0, 1_000), (20, 1_500)], 49, None, 1_000, RenewalRule.SAME),
        ([(0, 1_000), (20, 1_500)], 49, 1_500, 1_000, RenewalRule.SAME),
        ([(0, 1_000), (20, 1_500)], 50, None, 1_500, RenewalRule.UNANSWERED),
        ([(0, 1_000), (20, 1_500)], 50, 1_499, 1_500, RenewalRule.UNANSWERED),
        ([(0, 1_000), (20, 1_500)], 50, 1_500, 1_500, RenewalRule.RISEN),
        # A fall counts at once.
        ([(0, 1_000), (20, 800)], 20, None, 800, RenewalRule.FALLEN),
        ([(0, 1_000), (20, 800)], 19, None, 1_000, RenewalRule.SAME),
        # Down and up again within the notice: the lower price holds for now.
        ([(0, 1_000), (20, 800), (25, 1_000)], 30, None, 800, RenewalRule.FALLEN),
        ([(0, 1_000), (20, 800), (25, 1_000)], 55, None, 1_000, RenewalRule.SAME),
        # Up and half-way down is no fall for who pays the first price.
        ([(0, 1_000), (20, 2_000), (25, 1_500)], 30, None, 1_000, RenewalRule.SAME),
        ([(0, 1_000), (20, 2_000), (25, 1_500)], 51, 2_000, 1_500, RenewalRule.RISEN),
        ([(0, 1_000), (20, 2_000), (25, 1_500)], 51, None, 1_500, RenewalRule.UNANSWERED),
        # A rise that was taken back never was one.
        ([(0, 1_000), (20, 2_000), (25, 1_000)], 60, None, 1_000, RenewalRule.SAME),
        # Two rises: the first counts before the second does.
        ([(0, 1_000), (20, 1_200), (40, 1_500)], 60, 1_200, 1_200, RenewalRule.RISEN),
        ([(0, 1_000), (20, 1_200), (40, 1_500)], 70, 1_200, 1_500, RenewalRule.UNANSWERED),
    ],
)
def test_a_rise_needs_notice_and_consent_and_a_fall_neither(
    changes: list[tuple[int, int]],
    renews_on: int,
    agreed: int | None,
    price: int,
    rule: RenewalRule,
) -> None:
    told = price_at_renewal(
        current_minor=1_000,
        agreed_minor=agreed,
        history=history_of(*changes),
        renews_at=day(renews_on),
    )
    assert told == RenewalPrice(price, rule)


CHANGES = st.lists(st.tuples(st.integers(0, 120), st.integers(300, 3_000)), max_size=8)


@given(CHANGES, st.integers(0, 200))
def test_nobody_pays_more_than_was_announced_a_notice_before(
    changes: list[tuple[int, int]], renews_on: int
) -> None:
    ordered = [(0, 1_000), *sorted(changes, key=lambda each: each[0])]
    told = price_at_renewal(
        current_minor=1_000,
        agreed_minor=10**6,
        history=history_of(*ordered),
        renews_at=day(renews_on),
    )
    announced = [price for on, price in ordered if day(on) + NOTICE <= day(renews_on)]
    assert told.price_minor <= max([1_000, *announced])
