"""Which codes count, and for whom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.errors import Invalid
from domain.subscriptions.promos import (
    NOBODY,
    Discount,
    PromoAudience,
    PromoDuration,
    PromoKind,
    PromoRules,
    Redeemer,
    check_promo,
    clean_code,
)

NOW = datetime(2027, 1, 31, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
SUBSCRIBER = Redeemer(ever_subscribed=True, subscribed=True)
FORMER = Redeemer(ever_subscribed=True)


@pytest.mark.parametrize(
    ("rules", "redeemer", "redeemed", "code"),
    [
        (PromoRules(), NOBODY, 10**6, None),
        (PromoRules(starts_at=NOW), NOBODY, 0, None),
        (PromoRules(starts_at=NOW + HOUR), NOBODY, 0, "promo_not_started"),
        (PromoRules(expires_at=NOW + HOUR), NOBODY, 0, None),
        (PromoRules(expires_at=NOW), NOBODY, 0, "promo_expired"),
        (PromoRules(tier_id="gold"), NOBODY, 0, None),
        (PromoRules(tier_id="iron"), NOBODY, 0, "promo_wrong_tier"),
        (PromoRules(audience=PromoAudience.NEW), NOBODY, 0, None),
        (PromoRules(audience=PromoAudience.NEW), FORMER, 0, "promo_new_fans_only"),
        (PromoRules(audience=PromoAudience.FORMER), FORMER, 0, None),
        (PromoRules(audience=PromoAudience.FORMER), NOBODY, 0, "promo_former_fans_only"),
        (PromoRules(audience=PromoAudience.FORMER), SUBSCRIBER, 0, "promo_former_fans_only"),
        (PromoRules(), Redeemer(redemptions=1), 1, "promo_already_used"),
        (PromoRules(per_fan_max=2), Redeemer(redemptions=1), 1, None),
        (PromoRules(max_redemptions=5), NOBODY, 4, None),
        (PromoRules(max_redemptions=5), NOBODY, 5, "promo_used_up"),
    ],
)
def test_a_code_counts_or_says_why_not(
    rules: PromoRules, redeemer: Redeemer, redeemed: int, code: str | None
) -> None:
    if code is None:
        check_promo(rules, redeemer, tier_id="gold", redeemed=redeemed, at=NOW)
        return
    with pytest.raises(Invalid) as refused:
        check_promo(rules, redeemer, tier_id="gold", redeemed=redeemed, at=NOW)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("discount", "code"),
    [
        (Discount(PromoKind.PERCENT, 10_000), None),
        (Discount(PromoKind.PERCENT, 99), "promo_value_out_of_bounds"),
        (Discount(PromoKind.PERCENT, 10_001), "promo_value_out_of_bounds"),
        (Discount(PromoKind.AMOUNT, 0), "promo_value_out_of_bounds"),
        (Discount(PromoKind.TRIAL, 90), None),
        (Discount(PromoKind.TRIAL, 91), "promo_value_out_of_bounds"),
        (Discount(PromoKind.TRIAL, 7, PromoDuration.FOREVER), "promo_duration_unfit"),
        (Discount(PromoKind.AMOUNT, 100, PromoDuration.MONTHS, 24), None),
        (Discount(PromoKind.AMOUNT, 100, PromoDuration.MONTHS, 25), "promo_months_unfit"),
        (Discount(PromoKind.AMOUNT, 100, PromoDuration.MONTHS), "promo_months_unfit"),
        (Discount(PromoKind.AMOUNT, 100, PromoDuration.FOREVER, 3), "promo_months_unfit"),
    ],
)
def test_parts_of_a_discount_fit_each_other(discount: Discount, code: str | None) -> None:
    if code is None:
        discount.check()
        return
    with pytest.raises(Invalid) as refused:
        discount.check()
    assert refused.value.code == code


def test_a_code_expires_after_it_begins() -> None:
    PromoRules(starts_at=NOW, expires_at=NOW + HOUR).check()
    with pytest.raises(Invalid, match="expire"):
        PromoRules(starts_at=NOW, expires_at=NOW).check()


@pytest.mark.parametrize(
    ("typed", "kept"),
    [(" spring-27 ", "SPRING-27"), ("A1_", "A1_"), ("ab", None), ("-abc", None), ("a b c", None)],
)
def test_codes_are_kept_in_capitals(typed: str, kept: str | None) -> None:
    assert clean_code(typed) == kept
