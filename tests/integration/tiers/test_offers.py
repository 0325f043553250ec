"""Terms on which a tier may be had, its order among others, its prices, and its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import ProgrammingError

from domain.accounts import Role
from domain.errors import FansworldError
from domain.subscriptions.pricing import PRICE_NOTICE, Plan, TierPrice
from domain.subscriptions.promos import Discount, PromoKind
from infra.db import transaction
from infra.ids import new_id
from infra.models import Creator, Subscription, Tier, TierPriceChange, User
from infra.queries.tiers import writing
from infra.queries.tiers.buying import offered
from tests.harness.posts import MakePost
from tests.harness.rows import MakePromo, MakeTier, MakeUser

NOW = datetime.now(UTC)


@pytest.fixture
def creator(make_user: MakeUser) -> User:
    return make_user(role=Role.CREATOR)


@pytest.fixture
def tier(creator: User, make_tier: MakeTier) -> Tier:
    return make_tier(creator, trial_days=7)


def ask(engine: Engine, tier: Tier, fan: User | None = None, **wish: Any) -> Plan | str:
    """The plan, or the code of the refusal."""
    values: dict[str, Any] = {"creator_id": tier.creator_id, "months": 1, "code": None}
    try:
        with transaction(engine) as session:
            found = offered(
                session,
                tier_id=tier.id,
                fan_id=fan.id if fan else None,
                at=NOW,
                **(values | wish),
            )
            return found.plan
    except FansworldError as error:
        return error.code


def add_bundle(engine: Engine, tier: Tier, months: int, bps: int) -> None:
    with transaction(engine) as session:
        own = writing.lock_own_tier(session, tier.id, creator_id=tier.creator_id)
        writing.set_bundle(session, own, months=months, discount_bps=bps, at=NOW)


def subscribe(engine: Engine, fan: User, tier: Tier, **columns: Any) -> None:
    values = {"state": "active", "period_start": NOW, "period_end": NOW + timedelta(days=30)}
    with transaction(engine) as session:
        session.add(
            Subscription(
                id=new_id(),
                fan_id=fan.id,
                creator_id=tier.creator_id,
                tier_id=tier.id,
                price_minor=tier.price_minor,
                currency="USD",
                months=1,
                **(values | columns),
            )
        )


def test_a_tier_is_offered_with_its_bundle_and_code(
    tier: Tier, creator: User, make_promo: MakePromo, make_user: MakeUser, engine: Engine
) -> None:
    add_bundle(engine, tier, 3, 1_000)
    promo = make_promo(creator)
    plan = ask(engine, tier, make_user(), months=3, code=promo.code.lower())
    assert plan == Plan(500, "USD", 3, 1_000, Discount(PromoKind.PERCENT, 5_000), 7)
    assert ask(engine, tier) == Plan(500, "USD", trial_days=7)


def test_what_is_not_for_sale_is_not_offered(
    tier: Tier,
    creator: User,
    make_tier: MakeTier,
    make_user: MakeUser,
    make_promo: MakePromo,
    engine: Engine,
) -> None:
    add_bundle(engine, tier, 3, 1_000)
    free = make_tier(creator, rank=2, price_minor=0)
    gone = make_tier(creator, rank=3, archived_at=NOW)
    others = make_promo(make_user(role=Role.CREATOR))
    archived = make_promo(creator, archived_at=NOW)
    for wish, code in (
        ({"months": 6}, "bundle_unknown"),
        ({"creator_id": make_user(role=Role.CREATOR).id}, "tier_not_found"),
        ({"code": others.code}, "promo_unknown"),
        ({"code": archived.code}, "promo_unknown"),
        ({"code": "?"}, "promo_unknown"),
    ):
        assert ask(engine, tier, **wish) == code
    assert ask(engine, gone) == "tier_not_found"
    assert ask(engine, free, code=make_promo(creator).code) == "promo_not_needed"


def test_a_trial_is_for_who_never_subscribed(
    tier: Tier, make_user: MakeUser, engine: Engine
) -> None:
    fan = make_user()
    subscribe(engine, fan, tier, state="canceled", end_reason="fan", ended_at=NOW)
    assert ask(engine, tier, fan) == Plan(500, "USD")


def test_a_full_tier_has_no_place_until_somebody_leaves(
    creator: User, make_tier: MakeTier, make_user: MakeUser, engine: Engine
) -> None:
    tier = make_tier(creator, subscriber_cap=1)
    subscribe(engine, make_user(), tier, state="canceled", end_reason="fan", ended_at=NOW)
    assert isinstance(ask(engine, tier), Plan)
    subscribe(engine, make_user(), tier)
    assert ask(engine, tier) == "tier_full"


def test_another_discount_is_another_bundle(tier: Tier, engine: Engine) -> None:
    for bps in (1_000, 2_000, 2_000):
        add_bundle(engine, tier, 12, bps)
    with transaction(engine) as session:
        [bundle] = writing.live_bundles(session, tier.id)
        assert bundle.discount_bps == 2_000
        assert session.get_one(Tier, tier.id).version == 3


def test_a_rise_is_announced_and_a_fall_counts_at_once(tier: Tier, engine: Engine) -> None:
    for day, price in ((1, 900), (2, 400)):
        with transaction(engine) as session:
            own = writing.lock_own_tier(session, tier.id, creator_id=tier.creator_id)
            writing.set_price(session, own, price, at=NOW + timedelta(days=day))
    with transaction(engine) as session:
        first, *rest = writing.price_history(session, tier.id)
        assert first.price_minor == 500
        assert rest == [
            TierPrice(900, NOW + timedelta(days=1), NOW + timedelta(days=1) + PRICE_NOTICE),
            TierPrice(400, NOW + timedelta(days=2), NOW + timedelta(days=2)),
        ]
        assert session.get_one(Tier, tier.id).price_minor == 400


def test_prices_that_were_are_never_changed(tier: Tier, engine: Engine) -> None:
    def change() -> None:
        with transaction(engine) as session:
            [price] = session.query(TierPriceChange).filter_by(tier_id=tier.id)
            price.price_minor = 1

    with pytest.raises(ProgrammingError, match="insert-only"):
        change()


def ranks(engine: Engine, *tiers: Tier) -> list[int]:
    with transaction(engine) as session:
        return [session.get_one(Tier, each.id).rank for each in tiers]


def test_a_new_order_deals_out_the_ranks_and_leaves_the_archived_ones(
    creator: User, make_tier: MakeTier, engine: Engine
) -> None:
    low, gone, high = (
        make_tier(creator, rank=1),
        make_tier(creator, rank=2, archived_at=NOW),
        make_tier(creator, rank=3),
    )
    with transaction(engine) as session:
        writing.reorder(session, creator.id, [high.id, low.id], at=NOW)
    assert ranks(engine, low, gone, high) == [3, 2, 1]
    for wrong in ([low.id], [low.id, high.id, gone.id], [low.id, low.id]):
        with (
            pytest.raises(FansworldError) as refused,
            transaction(engine) as session,
        ):
            writing.reorder(session, creator.id, wrong, at=NOW)
        assert refused.value.code == "tiers_changed"


def test_a_new_tier_stands_above_archived_ones_too(
    creator: User, make_tier: MakeTier, engine: Engine
) -> None:
    make_tier(creator, rank=7, archived_at=NOW)
    tier = Tier(id=new_id(), creator_id=creator.id, name="New", price_minor=500, currency="USD")
    with transaction(engine) as session:
        writing.lock_creator(session, creator.id)
        writing.add_tier(session, tier, at=NOW)
    assert tier.rank == 8


def archive(engine: Engine, tier: Tier) -> str | None:
    try:
        with transaction(engine) as session:
            own = writing.lock_own_tier(session, tier.id, creator_id=tier.creator_id)
            writing.archive(session, own, at=NOW)
    except FansworldError as error:
        return error.code
    return None


def test_the_last_tier_that_opens_a_post_stays(
    creator: User, make_tier: MakeTier, make_post: MakePost, engine: Engine
) -> None:
    low, high = make_tier(creator, rank=1), make_tier(creator, rank=2)
    make_post(creator, audience="tier", tier_id=low.id)
    assert archive(engine, low) is None
    assert archive(engine, high) == "tier_needed", "posts are for the lower one, now archived"
    assert archive(engine, low) == "tier_archived"


def test_a_tier_goes_with_its_bundles(tier: Tier, engine: Engine) -> None:
    add_bundle(engine, tier, 3, 1_000)
    assert archive(engine, tier) is None
    with transaction(engine) as session:
        assert writing.live_bundles(session, tier.id) == []


def test_the_currency_stays_once_something_has_a_price(
    creator: User, make_tier: MakeTier, engine: Engine
) -> None:
    def change(currency: str) -> None:
        with transaction(engine) as session:
            writing.set_currency(session, writing.lock_creator(session, creator.id), currency)

    change("EUR")
    change("USD")
    make_tier(creator, archived_at=NOW)
    change("USD")
    with pytest.raises(FansworldError) as refused:
        change("GBP")
    assert refused.value.code == "currency_stays"
    with transaction(engine) as session:
        assert session.get_one(Creator, creator.id).currency == "USD"
