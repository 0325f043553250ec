"""What a subscription costs: its first period, each renewal, an upgrade, and after a rise.

Prices include tax; how much of a price is tax is known when it is charged. All amounts are in
minor units of one currency.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from domain.money import BPS, share_of
from domain.subscriptions.periods import PERIOD_MONTHS, Period, months_after
from domain.subscriptions.promos import Discount, PromoDuration, PromoKind

CHARGE_MINOR_MIN = {"EUR": 50, "GBP": 30, "USD": 50}
"""The least that can be charged (docs.stripe.com/currencies#minimum-and-maximum-charge-amounts)."""


@dataclass(frozen=True, slots=True)
class PeriodPrice:
    """Price of one period, and how it comes about: list − bundle − promo = total."""

    list_minor: int
    bundle_discount_minor: int
    promo_discount_minor: int
    total_minor: int
    """What is charged, with tax; 0: nothing is, and no card is asked for it."""
    tax_minor: int | None = None
    """Of the total; None until it is charged."""

    @property
    def is_free(self) -> bool:
        return self.total_minor == 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a fan has subscribed to, or might."""

    price_minor: int
    """Of the tier, a month."""
    currency: str
    months: int = 1
    """Length of a period, one of `PERIOD_MONTHS`."""
    bundle_bps: int = 0
    """Off every period, for its length."""
    discount: Discount | None = None
    """Of a promo code."""
    trial_days: int = 0
    """Of the tier, where the fan may have it."""

    def __post_init__(self) -> None:
        if self.months not in PERIOD_MONTHS:
            raise ValueError(f"a period has one of {PERIOD_MONTHS} months, not {self.months}")
        if self.price_minor < 0:
            raise ValueError("a tier costs nothing or something")
        if not 0 <= self.bundle_bps <= BPS:
            raise ValueError(f"a discount is from 0 to {BPS} basis points")


@dataclass(frozen=True, slots=True)
class Quote:
    """What a fan would pay now and later, if nothing changes."""

    currency: str
    months: int
    first: PeriodPrice
    """Charged now; with a trial, when that is over."""
    renewal: PeriodPrice
    """Of the period after the first."""
    regular: PeriodPrice
    """When no promo counts any more."""
    trial_days: int
    due_now_minor: int
    first_charge_at: datetime | None
    """None: nothing is charged, as far as can be seen."""
    discount: Discount | None
    discount_until: datetime | None
    """When the promo stops to count; None: never, or there is none."""


def price_of_period(plan: Plan, *, months_before: int = 0) -> PeriodPrice:
    """Price of the period that begins `months_before` months after the first paid one began.

    The bundle's discount comes first, the promo's off what is left:

    - `percent` off the share of the period that lies within its duration, so that half off for
      3 months takes an eighth off a year;
    - `amount` once off each period that begins within it;
    - a result above 0 that can't be charged becomes the least that can be, or stays at the
      price without the promo where that is less. Only a discount of the whole is free.
    """
    list_minor = plan.price_minor * plan.months
    bundle = share_of(list_minor, plan.bundle_bps)
    base = list_minor - bundle
    off = _promo_off(plan.discount, base, months=plan.months, months_before=months_before)
    total = base - off
    if 0 < total < CHARGE_MINOR_MIN[plan.currency]:
        total = min(base, CHARGE_MINOR_MIN[plan.currency])
    return PeriodPrice(list_minor, bundle, base - total, total)


def _promo_off(discount: Discount | None, base: int, *, months: int, months_before: int) -> int:
    if discount is None or discount.kind is PromoKind.TRIAL:
        return 0
    covered = _months_covered(discount, months=months, months_before=months_before)
    if covered == 0:
        return 0
    if discount.kind is PromoKind.AMOUNT:
        return min(discount.value, base)
    return share_of(base * covered // months, discount.value)


def _months_covered(discount: Discount, *, months: int, months_before: int) -> int:
    match discount.duration:
        case PromoDuration.FOREVER:
            return months
        case PromoDuration.ONCE:
            return months if months_before == 0 else 0
        case PromoDuration.MONTHS:
            assert discount.months is not None
            return max(0, min(months, discount.months - months_before))


def trial_days_of(plan: Plan) -> int:
    """The longer one of the tier's trial and the promo's."""
    promised = plan.discount
    by_promo = promised.value if promised and promised.kind is PromoKind.TRIAL else 0
    return max(plan.trial_days, by_promo) if plan.price_minor else 0


def quote(plan: Plan, *, at: datetime) -> Quote:
    """What it costs to subscribe at `at`, and to stay."""
    first = price_of_period(plan)
    renewal = price_of_period(plan, months_before=plan.months)
    regular = price_of_period(replace(plan, discount=None))
    trial = trial_days_of(plan)
    begins_at = at + timedelta(days=trial)
    return Quote(
        currency=plan.currency,
        months=plan.months,
        first=first,
        renewal=renewal,
        regular=regular,
        trial_days=trial,
        due_now_minor=0 if trial else first.total_minor,
        first_charge_at=_first_charge_at(plan, begins_at),
        discount=plan.discount,
        discount_until=_discount_until(plan, begins_at),
    )


def _first_charge_at(plan: Plan, begins_at: datetime) -> datetime | None:
    """The first period that costs something. Durations end, so few need to be looked at."""
    discount = plan.discount
    last = (discount.months or 0) if discount else 0
    for before in range(0, last + 2 * plan.months, plan.months):
        if not price_of_period(plan, months_before=before).is_free:
            return months_after(begins_at, before)
    return None


def _discount_until(plan: Plan, begins_at: datetime) -> datetime | None:
    discount = plan.discount
    if discount is None or discount.kind is PromoKind.TRIAL:
        return None
    match discount.duration:
        case PromoDuration.FOREVER:
            return None
        case PromoDuration.ONCE:
            return months_after(begins_at, plan.months)
        case PromoDuration.MONTHS:
            assert discount.months is not None
            return months_after(begins_at, discount.months)


# --- upgrade in the middle of a period -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What it costs to change to a higher tier for the rest of a period."""

    price_minor: int
    """Of the rest of the period in the new tier."""
    credit_minor: int
    """For the unused time of what was paid."""
    due_minor: int
    """Never below 0. What is too little to be charged is not charged: it is 0 then."""


def unused_of(paid_minor: int, period: Period, *, at: datetime) -> int:
    """The part of what was paid for a period that is not used up at `at`: by whole seconds left,
    rounded down. From 0 to `paid_minor`."""
    whole = _seconds(period.ends_at - period.starts_at)
    left = min(max(_seconds(period.ends_at - at), 0), whole)
    return paid_minor * left // whole


def upgrade_now(
    *, paid_minor: int, price_minor: int, currency: str, period: Period, at: datetime
) -> Upgrade:
    """The rest of this period in a tier whose whole period costs `price_minor`.

    The credit counts against this only: it is not paid out, nor carried on, where it is more.
    Both parts are rounded down, so that who upgrades at once pays just the difference.
    """
    rest = unused_of(price_minor, period, at=at)
    credit = unused_of(paid_minor, period, at=at)
    due = max(0, rest - credit)
    return Upgrade(rest, credit, due if due >= CHARGE_MINOR_MIN[currency] else 0)


def _seconds(span: timedelta) -> int:
    return span // timedelta(seconds=1)


# --- prices that change ----------------------------------------------------------------------

PRICE_NOTICE = timedelta(days=30)
"""Between telling subscribers of a higher price and the first renewal at which it counts."""


@dataclass(frozen=True, slots=True)
class TierPrice:
    """One of the prices that a tier has had. New subscribers pay it from `announced_at` on,
    those who subscribe already from their first renewal at or after `effective_at`."""

    price_minor: int
    announced_at: datetime
    effective_at: datetime


def announce_price(
    price_minor: int, *, history: Sequence[TierPrice], at: datetime, notice: timedelta
) -> TierPrice:
    """The price that follows `history`.

    It counts at once where it is no rise: not above the price that counts for anybody who
    renews now. What was announced and does not count yet is no measure, or two changes in a row
    would make a rise without notice.
    """
    known = _since_last_in_effect(history, at)
    is_rise = bool(known) and price_minor > min(each.price_minor for each in known)
    return TierPrice(price_minor, at, at + notice if is_rise else at)


class RenewalRule(StrEnum):
    SAME = "same"
    FALLEN = "fallen"
    """A lower price counts at the next renewal, and nobody need agree."""
    RISEN = "risen"
    """Announced in time, and agreed to."""
    UNANSWERED = "unanswered"
    """Announced in time, and not agreed to: it does not renew."""


@dataclass(frozen=True, slots=True)
class RenewalPrice:
    price_minor: int
    """Of the tier, a month: goes into the `Plan` of the period."""
    rule: RenewalRule


def price_at_renewal(
    *,
    current_minor: int,
    agreed_minor: int | None,
    history: Sequence[TierPrice],
    renews_at: datetime,
) -> RenewalPrice:
    """The tier's price for a subscriber's next period.

    It is the last one that is in effect then, or a lower one that was announced after it.

    Args:
        current_minor: the tier's price, a month, that the subscriber's last period had.
        agreed_minor: the highest price that the subscriber has agreed to since; None: to none.
        history: all prices of the tier, in any order.
    """
    known = _since_last_in_effect(history, renews_at)
    new = min((each.price_minor for each in known), default=current_minor)
    if new == current_minor:
        return RenewalPrice(current_minor, RenewalRule.SAME)
    if new < current_minor:
        return RenewalPrice(new, RenewalRule.FALLEN)
    if agreed_minor is not None and agreed_minor >= new:
        return RenewalPrice(new, RenewalRule.RISEN)
    return RenewalPrice(new, RenewalRule.UNANSWERED)


def _since_last_in_effect(history: Sequence[TierPrice], at: datetime) -> list[TierPrice]:
    """The last price that is in effect at `at`, and those announced after it until then."""
    known = sorted(
        (each for each in history if each.announced_at <= at), key=lambda each: each.announced_at
    )
    places = [place for place, each in enumerate(known) if each.effective_at <= at]
    return known[places[-1] :] if places else known
