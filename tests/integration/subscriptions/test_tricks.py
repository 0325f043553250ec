"""What a fan may try in order to pay less for a tier than it costs."""

from __future__ import annotations

from datetime import timedelta

import pytest
import stripe

from domain.errors import Conflict
from domain.subscriptions.life import UPGRADE_TIME
from infra.ids import new_id
from infra.models import PaymentMethod, Tier, User
from tests.harness.rows import MakePromo, MakeTier, MakeUser
from tests.harness.stripe import GiveCard
from tests.harness.subscriptions import DAY, Keeper
from workflows.subscriptions.messages import Change, ChangeKind

MOMENT = timedelta(milliseconds=200)


@pytest.fixture
def dear(creator: User, make_tier: MakeTier) -> Tier:
    return make_tier(creator, rank=5, price_minor=5_000)


def ask_at_the_last_moment(keeper: Keeper, subscription_id: str, tier: Tier) -> None:
    """Ask for a higher tier just before the period ends, and be heard just after."""
    period_end = keeper.row(subscription_id).period_end
    assert period_end is not None
    keeper.now = period_end - MOMENT
    wish = Change(subscription_id, ChangeKind.CHANGE_TIER, keeper.now, tier_id=tier.id)
    assert keeper.activities.change_subscription(wish).refusal is None
    keeper.now = period_end + MOMENT
    keeper.tend(subscription_id)


def test_an_upgrade_at_the_last_moment_pays_the_new_period_in_full(
    keeper: Keeper, fan: User, tier: Tier, dear: Tier, card: PaymentMethod
) -> None:
    subscribed = keeper.subscribe(fan, tier, card=card)
    ask_at_the_last_moment(keeper, subscribed, dear)
    row = keeper.row(subscribed)
    assert (row.tier_id, row.price_minor, row.period_index) == (dear.id, 5_000, 2)
    assert row.upgrade_tier_id is None
    assert keeper.charges(subscribed)[-1].amount_minor == 5_000


def test_an_upgrade_at_the_end_of_a_trial_pays_the_first_period_in_full(
    keeper: Keeper, fan: User, creator: User, dear: Tier, card: PaymentMethod, make_tier: MakeTier
) -> None:
    tried = make_tier(creator, rank=1, trial_days=7)
    subscribed = keeper.subscribe(fan, tried, card=card)
    assert keeper.row(subscribed).state == "trialing"
    ask_at_the_last_moment(keeper, subscribed, dear)
    assert keeper.row(subscribed).tier_id == dear.id
    assert [each.amount_minor for each in keeper.charges(subscribed)] == [5_000]


def test_a_code_for_one_tier_takes_nothing_off_another(
    keeper: Keeper,
    fan: User,
    creator: User,
    tier: Tier,
    dear: Tier,
    card: PaymentMethod,
    make_promo: MakePromo,
) -> None:
    promo = make_promo(creator, kind="percent", value=10_000, duration="forever", tier_id=tier.id)
    subscribed = keeper.subscribe(fan, tier, card=card, code=promo.code)
    assert keeper.charges(subscribed) == []
    keeper.change(subscribed, ChangeKind.CHANGE_TIER, tier_id=dear.id)
    assert keeper.row(subscribed).tier_id == dear.id
    assert [each.amount_minor for each in keeper.charges(subscribed)] == [5_000]
    keeper.pass_time(subscribed, 40 * DAY)
    assert [each.amount_minor for each in keeper.charges(subscribed)] == [5_000, 5_000]


def test_a_code_for_a_higher_tier_takes_nothing_off_a_lower_one(
    keeper: Keeper,
    fan: User,
    creator: User,
    tier: Tier,
    dear: Tier,
    card: PaymentMethod,
    make_promo: MakePromo,
) -> None:
    promo = make_promo(creator, kind="percent", value=5_000, duration="forever", tier_id=dear.id)
    subscribed = keeper.subscribe(fan, dear, card=card, code=promo.code)
    keeper.change(subscribed, ChangeKind.CHANGE_TIER, tier_id=tier.id)
    keeper.pass_time(subscribed, 40 * DAY)
    paid = [each.amount_minor for each in keeper.charges(subscribed)]
    assert paid == [2_500, tier.price_minor]


def test_an_upgrade_that_was_cancelled_does_not_come_back_at_its_old_cost(
    keeper: Keeper, fan: User, tier: Tier, dear: Tier, card: PaymentMethod
) -> None:
    subscribed = keeper.subscribe(fan, tier, card=card)
    keeper.now += DAY
    # Both are written down before the run comes to take the upgrade.
    for kind, tier_id in ((ChangeKind.CHANGE_TIER, dear.id), (ChangeKind.CANCEL, None)):
        wish = Change(subscribed, kind, keeper.now, tier_id=tier_id)
        assert keeper.activities.change_subscription(wish).refusal is None
    assert keeper.events(subscribed)[-2:] == ["tier_change_failed", "canceling"]
    keeper.pass_time(subscribed, 20 * DAY)
    keeper.change(subscribed, ChangeKind.RESUME)
    row = keeper.row(subscribed)
    assert (row.state, row.tier_id, row.upgrade_tier_id) == ("active", tier.id, None)
    assert len(keeper.charges(subscribed)) == 1


def test_an_upgrade_that_waits_for_the_bank_is_given_up_with_the_subscription(
    keeper: Keeper,
    fan: User,
    tier: Tier,
    dear: Tier,
    card: PaymentMethod,
    give_card: GiveCard,
    stripe_client: stripe.StripeClient,
) -> None:
    subscribed = keeper.subscribe(fan, tier, card=card)
    asks = give_card(fan, "pm_card_authenticationRequired")
    keeper.change(subscribed, ChangeKind.USE_NEW_CARD, payment_method_id=asks.id)
    keeper.change(subscribed, ChangeKind.CHANGE_TIER, tier_id=dear.id)
    assert keeper.looks[-1].outcome == "requires_action"
    keeper.change(subscribed, ChangeKind.CANCEL)
    upgrade = keeper.charges(subscribed)[-1]
    assert upgrade.state == "canceled"
    intent = stripe_client.v1.payment_intents.retrieve(str(upgrade.payment_intent_id))
    assert intent.status == "canceled"
    keeper.pass_time(subscribed, 10 * DAY)
    keeper.change(subscribed, ChangeKind.RESUME)
    row = keeper.row(subscribed)
    assert (row.state, row.tier_id, row.upgrade_tier_id) == ("active", tier.id, None)
    assert [each.state for each in keeper.charges(subscribed)] == ["paid", "canceled"]


def test_an_upgrade_that_was_never_sent_is_not_taken_after_a_cancellation(
    keeper: Keeper, fan: User, tier: Tier, dear: Tier, card: PaymentMethod
) -> None:
    """The worker died between choosing the charge's number and writing its row."""
    subscribed = keeper.subscribe(fan, tier, card=card)
    wish = Change(subscribed, ChangeKind.CHANGE_TIER, keeper.now, tier_id=dear.id)
    keeper.activities.change_subscription(wish)
    keeper.set(subscribed, charge_id=new_id())
    keeper.change(subscribed, ChangeKind.CANCEL)
    keeper.pass_time(subscribed, 20 * DAY)
    keeper.change(subscribed, ChangeKind.RESUME)
    assert keeper.row(subscribed).upgrade_tier_id is None
    assert len(keeper.charges(subscribed)) == 1


def test_a_planned_change_holds_its_place_in_a_full_tier(
    keeper: Keeper,
    fan: User,
    creator: User,
    dear: Tier,
    card: PaymentMethod,
    make_user: MakeUser,
    make_tier: MakeTier,
    give_card: GiveCard,
) -> None:
    small = make_tier(creator, rank=1, subscriber_cap=1)
    planned = keeper.subscribe(fan, dear, card=card)
    assert keeper.change(planned, ChangeKind.CHANGE_TIER, tier_id=small.id).refusal is None
    # Asked again it is the same place.
    assert keeper.change(planned, ChangeKind.CHANGE_TIER, tier_id=small.id).refusal is None
    other = make_user()
    with pytest.raises(Conflict) as refused:
        keeper.subscribe(other, small, card=give_card(other))
    assert refused.value.code == "tier_full"
    late = keeper.subscribe(other, dear, card=give_card(other))
    refusal = keeper.change(late, ChangeKind.CHANGE_TIER, tier_id=small.id).refusal
    assert refusal is not None and refusal.code == "tier_full"
    # Who stays after all gives it free again.
    keeper.change(planned, ChangeKind.CHANGE_TIER, tier_id=dear.id)
    assert keeper.change(late, ChangeKind.CHANGE_TIER, tier_id=small.id).refusal is None
    keeper.pass_time(late, 40 * DAY)
    assert keeper.row(late).tier_id == small.id


def test_an_upgrade_that_is_being_paid_holds_its_place(
    keeper: Keeper,
    fan: User,
    creator: User,
    tier: Tier,
    make_user: MakeUser,
    make_tier: MakeTier,
    give_card: GiveCard,
) -> None:
    small = make_tier(creator, rank=7, price_minor=5_000, subscriber_cap=1)
    subscribed = keeper.subscribe(fan, tier, card=give_card(fan))
    asks = give_card(fan, "pm_card_authenticationRequired")
    keeper.change(subscribed, ChangeKind.USE_NEW_CARD, payment_method_id=asks.id)
    keeper.change(subscribed, ChangeKind.CHANGE_TIER, tier_id=small.id)
    other = make_user()
    with pytest.raises(Conflict) as refused:
        keeper.subscribe(other, small, card=give_card(other))
    assert refused.value.code == "tier_full"
    keeper.pass_time(subscribed, 2 * UPGRADE_TIME)
    keeper.subscribe(other, small, card=give_card(other))
