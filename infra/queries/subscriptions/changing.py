"""What fans do to their subscriptions, each to a locked row.

Nothing here takes money: what is to be paid is written down as wanted, and the subscription's
run, which asks what to do next, takes it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from domain.errors import Conflict, Invalid
from domain.money import Money
from domain.subscriptions.events import EventKind
from domain.subscriptions.notices import Notice
from domain.subscriptions.pricing import price_of_period, upgrade_now
from domain.subscriptions.rules import Rules
from domain.subscriptions.states import EndReason, SubscriptionState
from infra.models import Subscription, Tier
from infra.queries.payment_methods import default_card, own_card
from infra.queries.subscriptions.effects import fail_upgrade
from infra.queries.subscriptions.ending import end_subscription
from infra.queries.subscriptions.giving import set_access
from infra.queries.subscriptions.mails import in_words, tell_fan
from infra.queries.subscriptions.periods import discount_of, running_period
from infra.queries.subscriptions.rows import move_to, note, state_of
from infra.queries.tiers.buying import Offered, offered

PAUSE_BOUNDS = (timedelta(days=1), timedelta(days=365))
_S = SubscriptionState
_RUNNING = frozenset({_S.TRIALING, _S.ACTIVE})


def cancel(
    session: Session, subscription: Subscription, *, now: bool, at: datetime, rules: Rules
) -> None:
    """End it with the period that runs, or at once. Where no period runs it ends at once.

    Again it changes nothing.
    """
    state = state_of(subscription)
    if state.is_final:
        return
    if now or state not in _RUNNING | {_S.CANCELING}:
        end_subscription(session, subscription, EndReason.FAN, at=at)
        return
    if state is _S.CANCELING:
        return
    move_to(subscription, _S.CANCELING)
    subscription.resume_at = None
    _take_upgrade_back(subscription, at)
    note(subscription, EventKind.CANCELING, at)
    set_access(session, subscription, at=at, rules=rules)
    assert subscription.period_end is not None, "what runs has a period"
    ends_at = in_words(subscription.period_end)
    tell_fan(session, subscription, Notice.CANCELING, ends_at=ends_at)


def _take_upgrade_back(subscription: Subscription, at: datetime) -> None:
    """Let an upgrade that was asked for, and is not paid, come to nothing. What it costs is of
    that moment, and would be wrong at any later one."""
    if subscription.upgrade_tier_id is None:
        return
    if subscription.charge_id is None:
        fail_upgrade(subscription, at=at, decline_code=None)
    else:
        # It is with the fan or their bank: the run gives it up, and takes what was paid by then.
        subscription.charge_expires_at = at


def resume(session: Session, subscription: Subscription, *, at: datetime, rules: Rules) -> None:
    """Take back a cancellation or a planned pause, or end a pause early and pay now.

    Raises:
        Conflict: `nothing_to_resume`, or `subscription_ended`.
    """
    state = state_of(subscription)
    _require_live(state)
    if state is _S.PAUSED:
        subscription.resume_at = at
    elif state is _S.ACTIVE and subscription.resume_at is not None:
        subscription.resume_at = None
    elif state is _S.CANCELING and subscription.period_end and subscription.period_end > at:
        if subscription.charge_id is None:
            _take_upgrade_back(subscription, at)
        was_trial = subscription.period_index == 0
        move_to(subscription, _S.TRIALING if was_trial else _S.ACTIVE)
    else:
        raise Conflict("There is nothing to take back.", code="nothing_to_resume", state=state)
    note(subscription, EventKind.RESUMED, at)
    if state is not _S.PAUSED:
        set_access(session, subscription, at=at, rules=rules)


def pause(subscription: Subscription, *, until: datetime, at: datetime) -> None:
    """Let it pause when the period that runs is over, until that moment.

    Raises:
        Conflict: `not_active`, or `subscription_ended`.
        Invalid: `resume_at_out_of_bounds`; sooner than a day after the period, or later than a
            year after it.
    """
    state = state_of(subscription)
    _require_live(state)
    if state is not _S.ACTIVE:
        raise Conflict("Only what is active can pause.", code="not_active", state=state)
    assert subscription.period_end is not None, "what is active has a period"
    least, most = (subscription.period_end + bound for bound in PAUSE_BOUNDS)
    if not least <= until <= most:
        raise Invalid(
            "A pause goes on for a day to a year after the period that is paid.",
            code="resume_at_out_of_bounds",
            least=least.isoformat(),
            most=most.isoformat(),
        )
    subscription.resume_at = until
    note(subscription, EventKind.PAUSE_PLANNED, at, resume_at=until.isoformat())


def change_tier(
    session: Session, subscription: Subscription, *, tier_id: str, at: datetime
) -> None:
    """Go to a higher tier now, for what the rest of the period costs more; or to a lower one
    with the next period. The tier that it has already takes a planned change back.

    Raises:
        Conflict: `not_active`, `change_under_way`, `card_missing`, `tier_full`, or
            `subscription_ended`.
        NotFound: `tier_not_found`.
        Invalid: `bundle_unknown`; the tier is not sold for as many months at once.
    """
    state = state_of(subscription)
    _require_live(state)
    if state not in _RUNNING:
        raise Conflict("Only what runs can change its tier.", code="not_active", state=state)
    if subscription.charge_id is not None or subscription.upgrade_tier_id is not None:
        raise Conflict("A payment is under way. Wait for it.", code="change_under_way")
    if tier_id == subscription.tier_id:
        _stay(subscription, at)
        return
    offer = offered(
        session,
        creator_id=subscription.creator_id,
        tier_id=tier_id,
        months=subscription.months,
        code=None,
        fan_id=subscription.fan_id,
        at=at,
        lock=True,
        holder_id=subscription.id,
    )
    if offer.tier.rank < session.get_one(Tier, subscription.tier_id).rank:
        _plan_change(subscription, offer, at)
        return
    _ask_for_upgrade(session, subscription, offer, at=at)


def _stay(subscription: Subscription, at: datetime) -> None:
    if subscription.next_tier_id is None:
        return
    subscription.next_tier_id = None
    subscription.next_price_minor = subscription.next_bundle_bps = None
    note(subscription, EventKind.TIER_CHANGE_PLANNED, at, tier_id=subscription.tier_id)


def _plan_change(subscription: Subscription, offer: Offered, at: datetime) -> None:
    subscription.next_tier_id = offer.tier.id
    subscription.next_price_minor = offer.plan.price_minor
    subscription.next_bundle_bps = offer.plan.bundle_bps
    note(
        subscription,
        EventKind.TIER_CHANGE_PLANNED,
        at,
        tier_id=offer.tier.id,
        price_minor=offer.plan.price_minor,
        currency=offer.plan.currency,
    )


def _ask_for_upgrade(
    session: Session, subscription: Subscription, offer: Offered, *, at: datetime
) -> None:
    """A trial goes on in the higher tier for nothing; what is paid owes the difference."""
    cost = 0
    if state_of(subscription) is _S.ACTIVE:
        cost = upgrade_cost_minor(session, subscription, offer, at=at)
    card = subscription.payment_method_id or default_card(session, subscription.fan_id)
    if card is None and offer.plan.price_minor > 0:
        raise Conflict("Add a card first.", code="card_missing")
    subscription.upgrade_tier_id = offer.tier.id
    subscription.upgrade_price_minor = offer.plan.price_minor
    subscription.upgrade_bundle_bps = offer.plan.bundle_bps
    subscription.upgrade_cost_minor = cost


def upgrade_cost_minor(
    session: Session, subscription: Subscription, offer: Offered, *, at: datetime
) -> int:
    """What the rest of the running period costs more in a higher tier. A promo code that is for
    that tier too counts for it as it counts for the period."""
    discount = discount_of(session, subscription, tier_id=offer.tier.id)
    plan = replace(offer.plan, discount=discount)
    months_before = subscription.months_begun - subscription.months
    price = price_of_period(plan, months_before=max(months_before, 0))
    due = upgrade_now(
        paid_minor=subscription.period_paid_minor,
        price_minor=price.total_minor,
        currency=subscription.currency,
        period=running_period(subscription),
        at=at,
    )
    return due.due_minor


def use_card(
    session: Session, subscription: Subscription, *, payment_method_id: str, at: datetime
) -> None:
    """Pay with this card from now on; what is past due is tried with it at once.

    Raises:
        Invalid: `card_unknown`.
        Conflict: `subscription_ended`.
    """
    state = state_of(subscription)
    _require_live(state)
    card = own_card(session, fan_id=subscription.fan_id, payment_method_id=payment_method_id)
    if card is None:
        raise Invalid("You have no such card.", code="card_unknown")
    subscription.payment_method_id = card.id
    if state is _S.PAST_DUE:
        subscription.payment_asked_at = at
    note(subscription, EventKind.CARD_CHANGED, at, last4=card.last4)


def agree_to_price(subscription: Subscription, *, price_minor: int, at: datetime) -> None:
    """Agree to the higher price that one was mailed of.

    Raises:
        Conflict: `price_differs`; there is no such price to agree to.
    """
    _require_live(state_of(subscription))
    if subscription.told_price_minor != price_minor:
        told = subscription.told_price_minor
        raise Conflict(
            "That is not the price that is to come.",
            code="price_differs",
            price=Money(told, subscription.currency).formatted if told is not None else None,
        )
    if subscription.agreed_price_minor == price_minor:
        return
    subscription.agreed_price_minor = price_minor
    note(
        subscription,
        EventKind.PRICE_AGREED,
        at,
        price_minor=price_minor,
        currency=subscription.currency,
    )


def _require_live(state: SubscriptionState) -> None:
    if state.is_final:
        raise Conflict("This subscription is over.", code="subscription_ended", state=state)
