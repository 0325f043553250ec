"""What ends a subscription from outside, and what is left when something dies on the way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import stripe
from sqlalchemy import Engine, select
from temporalio.exceptions import ApplicationError

from devstack.stripe import Fault, LocalStripe
from devstack.stripe.faults import FaultKind
from domain.errors import Conflict, FansworldError
from infra.db import transaction
from infra.models import Block, Charge, PaymentMethod, Refund, Tier, User
from infra.queries.charges.revoking import revoke_for
from tests.harness.rows import MakeTier
from tests.harness.stripe import GiveCard, authenticate
from tests.harness.subscriptions import DAY, Keeper
from workflows.subscriptions.messages import Change, ChangeKind

ASKS = "pm_card_authenticationRequired"
RENEWAL = datetime(2027, 2, 28, 12, tzinfo=UTC)


def take_back(keeper: Keeper, charge: Charge, why: str) -> None:
    with transaction(keeper.engine) as session:
        locked = session.get_one(Charge, charge.id, with_for_update=True)
        revoke_for(session, locked, at=keeper.now, why=why)


@pytest.mark.parametrize("why", ["refunded", "disputed"])
def test_money_that_goes_back_takes_access_with_it(
    keeper: Keeper, fan: User, tier: Tier, card: PaymentMethod, why: str
) -> None:
    subscribed = keeper.subscribe(fan, tier, card=card)
    keeper.now += DAY
    take_back(keeper, keeper.charges(subscribed)[0], why)
    take_back(keeper, keeper.charges(subscribed)[0], why)
    row = keeper.row(subscribed)
    assert (row.state, row.end_reason) == ("canceled", why)
    assert not keeper.has_access(fan)
    keeper.pass_time(subscribed, 60 * DAY)
    assert len(keeper.charges(subscribed)) == 1


def test_a_refund_of_a_month_long_over_ends_nothing_but_a_dispute_does(
    keeper: Keeper, fan: User, tier: Tier, card: PaymentMethod
) -> None:
    subscribed = keeper.subscribe(fan, tier, card=card)
    keeper.pass_time(subscribed, 40 * DAY)
    first = keeper.charges(subscribed)[0]
    take_back(keeper, first, "refunded")
    assert keeper.row(subscribed).state == "active"
    take_back(keeper, first, "disputed")
    assert keeper.row(subscribed).end_reason == "disputed"


def test_a_refund_of_an_upgrade_ends_it(
    keeper: Keeper, fan: User, tier: Tier, top: Tier, card: PaymentMethod
) -> None:
    subscribed = keeper.subscribe(fan, tier, card=card)
    keeper.now += DAY
    keeper.change(subscribed, ChangeKind.CHANGE_TIER, tier_id=top.id)
    take_back(keeper, keeper.charges(subscribed)[1], "refunded")
    assert not keeper.has_access(fan)


@pytest.mark.parametrize("who", ["fan", "creator"])
def test_nothing_is_taken_from_or_for_whose_account_was_shut(
    keeper: Keeper, fan: User, creator: User, tier: Tier, card: PaymentMethod, who: str
) -> None:
    subscribed = keeper.subscribe(fan, tier, card=card)
    shut = fan if who == "fan" else creator
    with transaction(keeper.engine) as session:
        session.get_one(User, shut.id).suspended_at = keeper.now
    keeper.pass_time(subscribed, 40 * DAY)
    assert keeper.row(subscribed).end_reason == "banned"
    assert len(keeper.charges(subscribed)) == 1 and not keeper.has_access(fan)


def test_a_block_ends_it(
    keeper: Keeper, fan: User, creator: User, tier: Tier, card: PaymentMethod
) -> None:
    subscribed = keeper.subscribe(fan, tier, card=card)
    with transaction(keeper.engine) as session:
        session.add(Block(blocker_id=creator.id, blocked_id=fan.id))
    keeper.tend(subscribed)
    assert keeper.row(subscribed).end_reason == "blocked"


def test_a_first_payment_that_is_not_confirmed_is_given_up(
    keeper: Keeper, fan: User, tier: Tier, give_card: GiveCard
) -> None:
    subscribed = keeper.subscribe(fan, tier, card=give_card(fan, ASKS))
    assert keeper.looks[-1].outcome == "requires_action"
    keeper.pass_time(subscribed, timedelta(hours=24))
    row = keeper.row(subscribed)
    assert (row.state, row.end_reason, row.charge_id) == ("expired", "never_paid", None)
    assert [charge.state for charge in keeper.charges(subscribed)] == ["canceled"]


def test_who_cancels_before_they_confirm_has_nothing_to_pay(
    keeper: Keeper, fan: User, tier: Tier, give_card: GiveCard
) -> None:
    subscribed = keeper.subscribe(fan, tier, card=give_card(fan, ASKS))
    keeper.change(subscribed, ChangeKind.CANCEL)
    assert keeper.row(subscribed).state == "canceled"
    assert [charge.state for charge in keeper.charges(subscribed)] == ["canceled"]


def test_what_is_paid_after_the_end_goes_back(
    keeper: Keeper,
    fan: User,
    tier: Tier,
    give_card: GiveCard,
    local_stripe: LocalStripe,
) -> None:
    subscribed = keeper.subscribe(fan, tier, card=give_card(fan, ASKS))
    keeper.activities.change_subscription(Change(subscribed, ChangeKind.CANCEL, keeper.now))
    [charge] = keeper.charges(subscribed)
    authenticate(local_stripe, charge, succeeds=True)
    keeper.tend(subscribed)
    assert not keeper.has_access(fan)
    with transaction(keeper.engine) as session:
        refund = session.scalars(select(Refund)).one()
    assert (refund.charge_id, refund.amount_minor) == (charge.id, 500)
    assert keeper.events(subscribed)[-1] == "paid_too_late"


@pytest.mark.parametrize("kind", ["lost_before", "lost_after", "refused_before", "failed_after"])
@pytest.mark.parametrize("is_renewal", [False, True])
def test_an_answer_that_is_lost_takes_one_payment(
    keeper: Keeper,
    fan: User,
    tier: Tier,
    card: PaymentMethod,
    local_stripe: LocalStripe,
    stripe_client: stripe.StripeClient,
    kind: FaultKind,
    is_renewal: bool,
) -> None:
    fault = Fault(kind, method="POST", path="/v1/payment_intents")
    if is_renewal:
        subscribed = keeper.subscribe(fan, tier, card=card)
        local_stripe.faults.add(fault)
        keeper.now = RENEWAL
        with pytest.raises(ApplicationError):
            keeper.tend(subscribed)
        keeper.now += timedelta(minutes=1)
        keeper.tend(subscribed)
    else:
        local_stripe.faults.add(fault)
        subscribed = keeper.begin(fan, tier, card=card)
        with pytest.raises(ApplicationError):
            keeper.tend(subscribed)
        keeper.tend(subscribed)
    row = keeper.row(subscribed)
    assert (row.state, row.period_index) == ("active", 1 + is_renewal)
    assert len(stripe_client.v1.payment_intents.list().data) == 1 + is_renewal
    assert row.charge_id is None


def test_the_terms_of_a_try_stay_while_its_answer_is_out(
    keeper: Keeper,
    fan: User,
    tier: Tier,
    card: PaymentMethod,
    give_card: GiveCard,
    local_stripe: LocalStripe,
    stripe_client: stripe.StripeClient,
) -> None:
    """The fan gives another card, and the creator another price, while nobody knows."""
    subscribed = keeper.subscribe(fan, tier, card=card)
    local_stripe.faults.add(Fault("lost_after", method="POST", path="/v1/payment_intents"))
    keeper.now = RENEWAL
    with pytest.raises(ApplicationError):
        keeper.tend(subscribed)
    other = give_card(fan, "pm_card_mastercard")
    keeper.set_price(tier, 300)
    keeper.change(subscribed, ChangeKind.USE_NEW_CARD, payment_method_id=other.id)
    assert [charge.amount_minor for charge in keeper.charges(subscribed)] == [500, 500]
    assert len(stripe_client.v1.payment_intents.list().data) == 2
    keeper.pass_time(subscribed, 32 * DAY)
    last = keeper.charges(subscribed)[-1]
    assert (last.amount_minor, last.payment_method_id) == (300, other.id)


def test_tending_twice_is_tending_once(
    keeper: Keeper, fan: User, tier: Tier, card: PaymentMethod
) -> None:
    subscribed = keeper.subscribe(fan, tier, card=card)
    keeper.now = RENEWAL
    first = keeper.tend(subscribed)
    version = keeper.row(subscribed).version
    assert keeper.tend(subscribed) == first
    assert keeper.row(subscribed).version == version
    assert len(keeper.charges(subscribed)) == 2


def test_two_requests_at_once_begin_one_subscription(
    keeper: Keeper, fan: User, tier: Tier, top: Tier, card: PaymentMethod
) -> None:
    def begin(wanted: Tier) -> str:
        try:
            return keeper.begin(fan, wanted, card=card)
        except FansworldError as error:
            assert isinstance(error, Conflict)
            return error.code

    with ThreadPoolExecutor(2) as threads:
        told = list(threads.map(begin, [tier, top]))
    assert sum(each == "already_subscribed" for each in told) == 1


async def test_the_sweep_finds_whom_nobody_began_and_who_was_shut(
    keeper: Keeper,
    engine: Engine,
    creator: User,
    fan: User,
    tier: Tier,
    make_tier: MakeTier,
    card: PaymentMethod,
) -> None:
    del make_tier
    subscribed = keeper.begin(fan, tier, card=card)
    assert keeper.sweep.late(keeper.now) == []
    later = keeper.now + timedelta(seconds=61)
    assert [each.subscription_id for each in keeper.sweep.late(later)] == [subscribed]
    keeper.tend(subscribed)
    assert keeper.sweep.late(later) == []
    assert len(keeper.sweep.late(RENEWAL + timedelta(minutes=16))) == 1
    with transaction(engine) as session:
        session.get_one(User, creator.id).suspended_at = keeper.now
    assert len(keeper.sweep.late(later)) == 1
