"""Codes are held, used and released within their caps, however many come at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from domain.accounts import Role
from domain.errors import Invalid
from domain.subscriptions.promos import Discount, PromoKind
from infra.db import transaction
from infra.ids import new_id
from infra.models import PromoCode, PromoRedemption, Subscription, Tier, User
from infra.queries.tiers.promos import hold_promo, release_promo, use_promo
from tests.harness.rows import MakePromo, MakeTier, MakeUser

NOW = datetime.now(UTC)


@pytest.fixture
def creator(make_user: MakeUser) -> User:
    return make_user(role=Role.CREATOR)


@pytest.fixture
def tier(creator: User, make_tier: MakeTier) -> Tier:
    return make_tier(creator)


def hold(
    engine: Engine, promo: PromoCode, tier: Tier, fan: User, subscription_id: str | None = None
) -> str | Discount:
    """The discount, or the code of the refusal."""
    try:
        with transaction(engine) as session:
            return hold_promo(
                session,
                promo.id,
                fan_id=fan.id,
                subscription_id=subscription_id or new_id(),
                tier_id=tier.id,
                at=NOW,
            )
    except Invalid as error:
        return error.code


def settle(engine: Engine, subscription_id: str, how: Any) -> None:
    with transaction(engine) as session:
        how(session, subscription_id, at=NOW)


def count(engine: Engine, promo: PromoCode) -> int:
    with transaction(engine) as session:
        return session.get_one(PromoCode, promo.id).redeemed_count


def state(engine: Engine, subscription_id: str) -> str:
    with transaction(engine) as session:
        return session.get_one(PromoRedemption, subscription_id).state


def test_a_cap_of_one_is_not_passed_by_twenty_at_once(
    creator: User, tier: Tier, make_promo: MakePromo, make_user: MakeUser, engine: Engine
) -> None:
    promo = make_promo(creator, max_redemptions=1)
    fans = [make_user() for _ in range(20)]
    with ThreadPoolExecutor(10) as pool:
        told = list(pool.map(lambda fan: hold(engine, promo, tier, fan), fans))
    assert sorted(str(each) for each in told if isinstance(each, str)) == ["promo_used_up"] * 19
    assert count(engine, promo) == 1


def test_a_fan_with_twenty_tabs_redeems_once(
    creator: User, tier: Tier, make_promo: MakePromo, make_user: MakeUser, engine: Engine
) -> None:
    promo, fan = make_promo(creator), make_user()
    with ThreadPoolExecutor(10) as pool:
        told = list(pool.map(lambda _: hold(engine, promo, tier, fan), range(20)))
    assert told.count("promo_already_used") == 19
    assert count(engine, promo) == 1


def test_a_repeat_for_one_subscription_takes_one_place(
    creator: User, tier: Tier, make_promo: MakePromo, make_user: MakeUser, engine: Engine
) -> None:
    promo, fan, subscription_id = make_promo(creator), make_user(), new_id()
    told = {hold(engine, promo, tier, fan, subscription_id) for _ in range(3)}
    assert told == {Discount(PromoKind.PERCENT, 5_000)}
    assert count(engine, promo) == 1


def test_a_place_that_was_released_is_free_for_others_and_for_the_fan(
    creator: User, tier: Tier, make_promo: MakePromo, make_user: MakeUser, engine: Engine
) -> None:
    promo, fan, subscription_id = make_promo(creator, max_redemptions=1), make_user(), new_id()
    hold(engine, promo, tier, fan, subscription_id)
    for _ in range(2):
        settle(engine, subscription_id, release_promo)
    assert (count(engine, promo), state(engine, subscription_id)) == (0, "released")
    assert isinstance(hold(engine, promo, tier, fan, subscription_id), Discount)
    assert hold(engine, promo, tier, make_user()) == "promo_used_up"


def test_what_is_used_is_not_released(
    creator: User, tier: Tier, make_promo: MakePromo, make_user: MakeUser, engine: Engine
) -> None:
    promo, subscription_id = make_promo(creator), new_id()
    hold(engine, promo, tier, make_user(), subscription_id)
    for how in (use_promo, use_promo, release_promo):
        settle(engine, subscription_id, how)
    assert (count(engine, promo), state(engine, subscription_id)) == (1, "used")


def test_who_paid_the_price_after_the_place_was_released_has_it_anyway(
    creator: User, tier: Tier, make_promo: MakePromo, make_user: MakeUser, engine: Engine
) -> None:
    promo, subscription_id = make_promo(creator, max_redemptions=1), new_id()
    hold(engine, promo, tier, make_user(), subscription_id)
    settle(engine, subscription_id, release_promo)
    hold(engine, promo, tier, make_user())
    settle(engine, subscription_id, use_promo)
    assert (count(engine, promo), state(engine, subscription_id)) == (2, "used")
    assert hold(engine, promo, tier, make_user()) == "promo_used_up"


def test_a_subscription_without_a_code_has_nothing_to_settle(engine: Engine) -> None:
    for how in (use_promo, release_promo):
        settle(engine, new_id(), how)


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"state": "incomplete"}, "promo_former_fans_only"),
        (
            {"state": "expired", "end_reason": "never_paid", "ended_at": NOW},
            "promo_former_fans_only",
        ),
        ({"state": "canceled", "end_reason": "fan", "ended_at": NOW}, None),
        (
            {
                "state": "active",
                "period_start": NOW,
                "period_end": NOW + timedelta(days=30),
            },
            "promo_former_fans_only",
        ),
    ],
)
def test_former_fans_are_those_who_subscribed_for_real_and_do_not_any_more(
    creator: User,
    tier: Tier,
    make_promo: MakePromo,
    make_user: MakeUser,
    engine: Engine,
    columns: dict[str, Any],
    code: str | None,
) -> None:
    fan, back, new = make_user(), make_promo(creator, audience="former"), make_promo(creator)
    with transaction(engine) as session:
        session.get_one(PromoCode, new.id).audience = "new"
        session.add(
            Subscription(
                id=new_id(),
                fan_id=fan.id,
                creator_id=creator.id,
                tier_id=tier.id,
                price_minor=500,
                currency="USD",
                months=1,
                **columns,
            )
        )
    told = hold(engine, back, tier, fan)
    assert told == code if code else isinstance(told, Discount)
    began = columns.get("end_reason") != "never_paid" and columns["state"] != "incomplete"
    told = hold(engine, new, tier, fan)
    assert told == "promo_new_fans_only" if began else isinstance(told, Discount)
