"""Subscriptions over months and years: what is taken, when, and who sees what meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from infra.models import PaymentMethod, Tier, User
from tests.harness.rows import MakePromo, MakeTier, MakeUser
from tests.harness.stripe import GiveCard
from tests.harness.subscriptions import DAY, Keeper
from workflows.subscriptions.messages import ChangeKind

DECLINES = "pm_card_chargeCustomerFail"


def test_the_31st_comes_back_after_each_short_month_and_leap_days_count(
    keeper: Keeper, fan: User, tier: Tier, card: PaymentMethod
) -> None:
    subscribed = keeper.subscribe(fan, tier, card=card)
    keeper.pass_time(subscribed, 3 * 366 * DAY)
    days = [charge.created_at.date().isoformat() for charge in keeper.charges(subscribed)]
    assert days[:4] == ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30"]
    assert "2028-02-29" in days and "2028-03-31" in days
    assert len(days) == 37
    assert {charge.state for charge in keeper.charges(subscribed)} == {"paid"}
    # One right that goes on, and not one for each month.
    assert len(keeper.rights(fan)) == 1
    assert keeper.has_access(fan)


def test_an_ordinary_renewal_is_one_tending(
    keeper: Keeper, fan: User, tier: Tier, card: PaymentMethod
) -> None:
    subscribed = keeper.subscribe(fan, tier, card=card)
    looks = len(keeper.looks)
    keeper.now = datetime(2027, 2, 28, 12, tzinfo=UTC)
    look = keeper.tend(subscribed)
    assert len(keeper.looks) == looks + 1
    assert (look.period_index, look.wake_at) == (2, datetime(2027, 3, 31, 12, tzinfo=UTC))


@pytest.fixture
def trial(creator: User, make_tier: MakeTier) -> Tier:
    return make_tier(creator, rank=2, price_minor=500, trial_days=14)


def test_a_trial_is_told_of_before_it_ends_and_then_paid(
    keeper: Keeper, fan: User, trial: Tier, card: PaymentMethod
) -> None:
    subscribed = keeper.subscribe(fan, trial, card=card)
    assert keeper.row(subscribed).state == "trialing" and keeper.has_access(fan)
    keeper.pass_time(subscribed, 13 * DAY)
    assert keeper.notices(fan) == ["trial_ends"] and keeper.charges(subscribed) == []
    keeper.pass_time(subscribed, 2 * DAY)
    assert keeper.row(subscribed).state == "active"
    assert keeper.row(subscribed).anchor_at == datetime(2027, 2, 14, 12, tzinfo=UTC)


def test_a_card_tries_a_creator_once_in_whichever_account(
    keeper: Keeper, make_user: MakeUser, fan: User, trial: Tier, give_card: GiveCard
) -> None:
    keeper.subscribe(fan, trial, card=give_card(fan))
    second = make_user()
    subscribed = keeper.subscribe(second, trial, card=give_card(second))
    assert keeper.row(subscribed).state == "active"
    assert [charge.amount_minor for charge in keeper.charges(subscribed)] == [500]


@pytest.mark.parametrize(
    ("canceled", "resumed"), [(1, 2), (1, 13), (13, 13)], ids=["early", "late", "told"]
)
def test_who_takes_a_cancellation_back_is_told_once_that_the_trial_ends(
    keeper: Keeper, fan: User, trial: Tier, card: PaymentMethod, canceled: int, resumed: int
) -> None:
    subscribed = keeper.subscribe(fan, trial, card=card)
    keeper.pass_time(subscribed, canceled * DAY)
    keeper.change(subscribed, ChangeKind.CANCEL)
    keeper.pass_time(subscribed, (resumed - canceled) * DAY)
    keeper.change(subscribed, ChangeKind.RESUME)
    keeper.pass_time(subscribed, (14 - resumed) * DAY)
    assert keeper.notices(fan).count("trial_ends") == 1
    assert keeper.row(subscribed).state == "active"


def test_a_trial_that_can_not_be_paid_has_no_grace(
    keeper: Keeper, fan: User, trial: Tier, give_card: GiveCard
) -> None:
    subscribed = keeper.subscribe(fan, trial, card=give_card(fan, DECLINES))
    keeper.pass_time(subscribed, 14 * DAY)
    assert keeper.row(subscribed).state == "past_due"
    assert not keeper.has_access(fan)


def test_a_first_payment_that_is_declined_leaves_nothing_behind(
    keeper: Keeper, fan: User, tier: Tier, give_card: GiveCard
) -> None:
    subscribed = keeper.subscribe(fan, tier, card=give_card(fan, DECLINES))
    row = keeper.row(subscribed)
    assert (row.state, row.end_reason) == ("expired", "never_paid")
    assert keeper.looks[-1].outcome == "declined"
    assert not keeper.has_access(fan)
    again = keeper.subscribe(fan, tier, card=give_card(fan))
    assert keeper.row(again).state == "active"


def test_declines_are_retried_four_times_and_access_ends_with_the_grace(
    keeper: Keeper, fan: User, tier: Tier, card: PaymentMethod, give_card: GiveCard
) -> None:
    subscribed = keeper.subscribe(fan, tier, card=card)
    keeper.set(subscribed, payment_method_id=give_card(fan, DECLINES).id)
    keeper.pass_time(subscribed, 28 * DAY + timedelta(hours=1))
    assert keeper.row(subscribed).state == "past_due" and keeper.has_access(fan)
    keeper.pass_time(subscribed, 3 * DAY)
    assert not keeper.has_access(fan)
    keeper.pass_time(subscribed, 30 * DAY)
    row = keeper.row(subscribed)
    assert (row.state, row.end_reason) == ("expired", "not_paid")
    tries = [
        (charge.created_at.date().isoformat(), charge.generation)
        for charge in keeper.charges(subscribed)[1:]
    ]
    assert tries == [
        ("2027-02-28", 1),
        ("2027-03-02", 2),
        ("2027-03-07", 3),
        ("2027-03-14", 4),
        ("2027-03-21", 5),
    ]
    assert keeper.notices(fan)[-1] == "ended"


def test_a_new_card_within_the_grace_keeps_the_day(
    keeper: Keeper, fan: User, tier: Tier, card: PaymentMethod, give_card: GiveCard
) -> None:
    subscribed = keeper.subscribe(fan, tier, card=card)
    keeper.set(subscribed, payment_method_id=give_card(fan, DECLINES).id)
    keeper.pass_time(subscribed, 29 * DAY)
    keeper.change(subscribed, ChangeKind.USE_NEW_CARD, payment_method_id=card.id)
    row = keeper.row(subscribed)
    assert row.state == "active" and row.period_end == datetime(2027, 3, 31, 12, tzinfo=UTC)
    assert (row.declines, row.retry_at, row.decline_code) == (0, None, None)
    assert len(keeper.rights(fan)) == 1


def test_who_pays_after_access_has_ended_gets_a_whole_period(
    keeper: Keeper, fan: User, tier: Tier, card: PaymentMethod, give_card: GiveCard
) -> None:
    subscribed = keeper.subscribe(fan, tier, card=card)
    keeper.set(subscribed, payment_method_id=give_card(fan, DECLINES).id)
    keeper.pass_time(subscribed, 40 * DAY)
    assert not keeper.has_access(fan)
    keeper.change(subscribed, ChangeKind.USE_NEW_CARD, payment_method_id=card.id)
    row = keeper.row(subscribed)
    assert row.period_start == keeper.now == datetime(2027, 3, 12, 12, tzinfo=UTC)
    assert keeper.has_access(fan) and len(keeper.rights(fan)) == 2


def test_an_upgrade_costs_the_difference_for_the_rest_and_opens_at_once(
    keeper: Keeper, fan: User, tier: Tier, top: Tier, card: PaymentMethod
) -> None:
    subscribed = keeper.subscribe(fan, tier, card=card)
    keeper.pass_time(subscribed, 14 * DAY)
    keeper.change(subscribed, ChangeKind.CHANGE_TIER, tier_id=top.id)
    row = keeper.row(subscribed)
    assert row.tier_id == top.id and row.period_end == datetime(2027, 2, 28, 12, tzinfo=UTC)
    assert [charge.amount_minor for charge in keeper.charges(subscribed)] == [500, 500]
    live = [right for right in keeper.rights(fan) if right.revoked_at is None]
    assert [right.tier_id for right in live] == [top.id]
    keeper.pass_time(subscribed, 30 * DAY)
    assert keeper.charges(subscribed)[-1].amount_minor == 1500


def test_a_declined_upgrade_changes_nothing(
    keeper: Keeper, fan: User, tier: Tier, top: Tier, card: PaymentMethod, give_card: GiveCard
) -> None:
    subscribed = keeper.subscribe(fan, tier, card=card)
    keeper.set(subscribed, payment_method_id=give_card(fan, DECLINES).id)
    keeper.pass_time(subscribed, 2 * DAY)
    keeper.change(subscribed, ChangeKind.CHANGE_TIER, tier_id=top.id)
    row = keeper.row(subscribed)
    assert (row.state, row.tier_id, row.upgrade_tier_id) == ("active", tier.id, None)
    assert keeper.events(subscribed)[-1] == "tier_change_failed"
    keeper.set(subscribed, payment_method_id=card.id)
    keeper.change(subscribed, ChangeKind.CHANGE_TIER, tier_id=top.id)
    assert keeper.row(subscribed).tier_id == top.id


def test_a_downgrade_comes_with_the_next_period_and_can_be_taken_back(
    keeper: Keeper, fan: User, tier: Tier, top: Tier, card: PaymentMethod
) -> None:
    subscribed = keeper.subscribe(fan, top, card=card)
    keeper.change(subscribed, ChangeKind.CHANGE_TIER, tier_id=tier.id)
    keeper.change(subscribed, ChangeKind.CHANGE_TIER, tier_id=top.id)
    assert keeper.row(subscribed).next_tier_id is None
    keeper.change(subscribed, ChangeKind.CHANGE_TIER, tier_id=tier.id)
    assert keeper.row(subscribed).tier_id == top.id
    keeper.pass_time(subscribed, 29 * DAY)
    assert keeper.row(subscribed).tier_id == tier.id
    assert [charge.amount_minor for charge in keeper.charges(subscribed)] == [1500, 500]


def test_cancel_resume_and_cancel_again(
    keeper: Keeper, fan: User, tier: Tier, card: PaymentMethod
) -> None:
    subscribed = keeper.subscribe(fan, tier, card=card)
    keeper.change(subscribed, ChangeKind.CANCEL)
    assert keeper.row(subscribed).state == "canceling"
    keeper.change(subscribed, ChangeKind.RESUME)
    keeper.pass_time(subscribed, 30 * DAY)
    assert keeper.row(subscribed).period_index == 2
    keeper.change(subscribed, ChangeKind.CANCEL)
    end = keeper.row(subscribed).period_end
    assert end is not None and keeper.has_access(fan, at=end - timedelta(seconds=1))
    assert not keeper.has_access(fan, at=end)
    keeper.pass_time(subscribed, 60 * DAY)
    row = keeper.row(subscribed)
    assert (row.state, row.end_reason, row.ended_at) == ("canceled", "fan", end)
    assert len(keeper.charges(subscribed)) == 2
    refused = keeper.change(subscribed, ChangeKind.RESUME)
    assert refused.refusal is not None and refused.refusal.code == "subscription_ended"


def test_cancel_now_ends_access_now(
    keeper: Keeper, fan: User, tier: Tier, card: PaymentMethod
) -> None:
    subscribed = keeper.subscribe(fan, tier, card=card)
    keeper.pass_time(subscribed, DAY)
    keeper.change(subscribed, ChangeKind.CANCEL, now=True)
    assert keeper.row(subscribed).state == "canceled" and not keeper.has_access(fan)


def test_a_pause_takes_nothing_and_gives_nothing_until_it_goes_on(
    keeper: Keeper, fan: User, tier: Tier, card: PaymentMethod
) -> None:
    subscribed = keeper.subscribe(fan, tier, card=card)
    until = datetime(2027, 5, 10, 8, tzinfo=UTC)
    keeper.change(subscribed, ChangeKind.PAUSE, resume_at=until)
    keeper.pass_time(subscribed, 20 * DAY)
    assert keeper.row(subscribed).state == "active" and keeper.has_access(fan)
    keeper.pass_time(subscribed, 20 * DAY)
    assert keeper.row(subscribed).state == "paused" and not keeper.has_access(fan)
    keeper.pass_time(subscribed, 90 * DAY)
    row = keeper.row(subscribed)
    assert row.state == "active" and row.anchor_at == until
    assert [charge.created_at for charge in keeper.charges(subscribed)][1] == until


def test_a_pause_ends_early_where_the_fan_wishes(
    keeper: Keeper, fan: User, tier: Tier, card: PaymentMethod
) -> None:
    subscribed = keeper.subscribe(fan, tier, card=card)
    keeper.change(subscribed, ChangeKind.PAUSE, resume_at=datetime(2027, 6, 1, tzinfo=UTC))
    keeper.pass_time(subscribed, 40 * DAY)
    keeper.change(subscribed, ChangeKind.RESUME)
    assert keeper.row(subscribed).state == "active" and keeper.has_access(fan)


@pytest.mark.parametrize("agrees", [True, False])
def test_a_rise_counts_after_notice_and_consent_only(
    keeper: Keeper, fan: User, tier: Tier, card: PaymentMethod, agrees: bool
) -> None:
    subscribed = keeper.subscribe(fan, tier, card=card)
    keeper.pass_time(subscribed, 10 * DAY)
    keeper.set_price(tier, 800)
    sweep = keeper.sweep
    assert sweep.tell_of_prices(keeper.now) == 1 and sweep.tell_of_prices(keeper.now) == 0
    assert keeper.notices(fan) == ["price_rises"]
    # The first renewal comes before the thirty days are over, and has the old price.
    keeper.pass_time(subscribed, 25 * DAY)
    assert [charge.amount_minor for charge in keeper.charges(subscribed)] == [500, 500]
    if agrees:
        wrong = keeper.change(subscribed, ChangeKind.CONSENT_TO_PRICE, price_minor=700)
        assert wrong.refusal is not None and wrong.refusal.code == "price_differs"
        keeper.change(subscribed, ChangeKind.CONSENT_TO_PRICE, price_minor=800)
    keeper.pass_time(subscribed, 65 * DAY)
    row = keeper.row(subscribed)
    amounts = [charge.amount_minor for charge in keeper.charges(subscribed)]
    if agrees:
        assert row.state == "active" and amounts == [500, 500, 800, 800]
    else:
        assert (row.state, row.end_reason) == ("expired", "price_refused")
        assert amounts == [500, 500]


def test_a_fall_counts_with_the_next_renewal(
    keeper: Keeper, fan: User, tier: Tier, card: PaymentMethod
) -> None:
    subscribed = keeper.subscribe(fan, tier, card=card)
    keeper.set_price(tier, 300)
    keeper.pass_time(subscribed, 29 * DAY)
    assert [charge.amount_minor for charge in keeper.charges(subscribed)] == [500, 300]


def test_a_promo_counts_as_long_as_it_was_promised(
    keeper: Keeper,
    creator: User,
    fan: User,
    tier: Tier,
    card: PaymentMethod,
    make_promo: MakePromo,
) -> None:
    half = {"kind": "percent", "value": 5000, "duration": "months", "months": 2}
    promo = make_promo(creator, **half)
    subscribed = keeper.subscribe(fan, tier, card=card, code=promo.code)
    keeper.pass_time(subscribed, 100 * DAY)
    amounts = [charge.amount_minor for charge in keeper.charges(subscribed)]
    assert amounts == [250, 250, 500, 500]
    assert keeper.redemptions(promo.id) == ["used"]


def test_a_code_is_free_again_where_the_first_payment_fails(
    keeper: Keeper,
    creator: User,
    fan: User,
    tier: Tier,
    give_card: GiveCard,
    make_promo: MakePromo,
) -> None:
    promo = make_promo(creator)
    keeper.subscribe(fan, tier, card=give_card(fan, DECLINES), code=promo.code)
    assert keeper.redemptions(promo.id) == ["released"]


def test_what_costs_nothing_needs_no_card_and_no_charge(
    keeper: Keeper, fan: User, tier: Tier
) -> None:
    keeper.set_price(tier, 0)
    subscribed = keeper.subscribe(fan, tier)
    keeper.pass_time(subscribed, 100 * DAY)
    assert keeper.row(subscribed).state == "active" and keeper.has_access(fan)
    assert keeper.row(subscribed).period_index == 4
    assert keeper.charges(subscribed) == []


def test_an_outage_over_a_renewal_takes_one_payment_and_keeps_the_day(
    keeper: Keeper, fan: User, tier: Tier, card: PaymentMethod
) -> None:
    subscribed = keeper.subscribe(fan, tier, card=card)
    keeper.now = datetime(2027, 3, 2, tzinfo=UTC)
    keeper.tend(subscribed)
    assert len(keeper.charges(subscribed)) == 2
    assert keeper.row(subscribed).period_end == datetime(2027, 3, 31, 12, tzinfo=UTC)


def test_after_an_outage_beyond_the_grace_an_upgrade_is_renewed_with_a_right_of_its_own(
    keeper: Keeper, fan: User, tier: Tier, top: Tier, card: PaymentMethod
) -> None:
    subscribed = keeper.subscribe(fan, tier, card=card)
    keeper.change(subscribed, ChangeKind.CHANGE_TIER, tier_id=top.id)
    keeper.now += 40 * DAY
    keeper.tend(subscribed)
    assert [each.state for each in keeper.charges(subscribed)] == ["paid", "paid", "paid"]
    row = keeper.row(subscribed)
    assert (row.period_index, row.period_start) == (2, keeper.now)
    assert [each.starts_at for each in keeper.rights(fan)][-1] == keeper.now


def test_a_bundle_is_paid_at_once_and_keeps_its_discount(
    keeper: Keeper, fan: User, tier: Tier, top: Tier, card: PaymentMethod
) -> None:
    keeper.sell_bundle(tier, months=3, discount_bps=1000)
    subscribed = keeper.subscribe(fan, tier, card=card, months=3)
    keeper.sell_bundle(tier, months=3, discount_bps=500)
    keeper.pass_time(subscribed, 100 * DAY)
    days = [charge.created_at.date().isoformat() for charge in keeper.charges(subscribed)]
    assert days == ["2027-01-31", "2027-04-30"]
    assert [charge.amount_minor for charge in keeper.charges(subscribed)] == [1350, 1350]
    refused = keeper.change(subscribed, ChangeKind.CHANGE_TIER, tier_id=top.id)
    assert refused.refusal is not None and refused.refusal.code == "bundle_unknown"
