"""What a charge does to its subscription, in the charge's own transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from domain.charges.states import ChargeState, DeclineKind
from domain.ids import derived_id
from domain.money import Money
from domain.refunds import RefundReason, Requester
from domain.subscriptions.dunning import after_decline
from domain.subscriptions.events import EventKind
from domain.subscriptions.life import FIRST_PAYMENT_TIME, UPGRADE_TIME
from domain.subscriptions.notices import Notice
from domain.subscriptions.rules import Rules
from domain.subscriptions.states import EndReason, SubscriptionState, access_until
from infra.models import Charge, Subscription
from infra.queries.refunds.requesting import NewRefund, request_refund
from infra.queries.subscriptions.ending import end_subscription
from infra.queries.subscriptions.giving import set_access
from infra.queries.subscriptions.mails import in_words, tell_fan
from infra.queries.subscriptions.periods import begin_period
from infra.queries.subscriptions.rows import lock_subscription, move_to, note, state_of
from infra.queries.tiers.promos import use_promo


def period_step(index: int) -> str:
    return f"period:{index}"


def upgrade_step(number: int) -> str:
    return f"upgrade:{number}"


def follow_charge(session: Session, charge: Charge, rules: Rules) -> None:
    """Let the subscription stand as its charge, whose state is new, does."""
    subscription = lock_subscription(session, charge.subject_id)
    state = ChargeState(charge.state)
    is_upgrade = charge.step.startswith("upgrade:")
    if not state.is_final:
        _wait(subscription, charge, is_upgrade=is_upgrade)
        return
    assert charge.closed_at is not None, "a charge that is over says when"
    at = charge.closed_at
    subscription.charge_id = subscription.charge_expires_at = None
    if state_of(subscription).is_final:
        subscription.wake_at = None
        if state is ChargeState.PAID:
            _give_back(session, subscription, charge, at=at)
    elif is_upgrade:
        _follow_upgrade(session, subscription, charge, at=at, rules=rules)
    elif state is ChargeState.PAID:
        start_or_renew(
            session,
            subscription,
            paid_minor=charge.amount_minor,
            at=at,
            rules=rules,
            charge_id=charge.id,
        )
    else:
        _follow_decline(session, subscription, _decline_of(charge), at=at, rules=rules)


def _give_back(
    session: Session, subscription: Subscription, charge: Charge, *, at: datetime
) -> None:
    """It ended while the fan or their bank were still at it: what was paid goes back."""
    note(subscription, EventKind.PAID_TOO_LATE, at, charge_id=charge.id)
    request_refund(
        session,
        NewRefund(
            id=derived_id("refund", charge.id, "too_late"),
            charge_id=charge.id,
            amount_minor=None,
            reason=RefundReason.NOT_DELIVERED,
            requested_as=Requester.SYSTEM,
            at=at,
        ),
    )


@dataclass(frozen=True, slots=True)
class Decline:
    """Why the next period was not paid."""

    amount_minor: int
    kind: DeclineKind
    code: str | None


def _decline_of(charge: Charge) -> Decline:
    # A charge that was given up has no kind: only the fan could have confirmed it.
    kind = DeclineKind(charge.decline_kind) if charge.decline_kind else DeclineKind.NEEDS_FAN
    return Decline(charge.amount_minor, kind, charge.decline_code)


def decline_without_card(
    session: Session, subscription: Subscription, *, amount_minor: int, at: datetime, rules: Rules
) -> None:
    """There is nothing to charge the next period to: as if a card had been declined for good."""
    missing = Decline(amount_minor, DeclineKind.HARD, "card_missing")
    _follow_decline(session, subscription, missing, at=at, rules=rules)


def _wait(subscription: Subscription, charge: Charge, *, is_upgrade: bool) -> None:
    """The charge is with the fan or their bank."""
    subscription.charge_id = charge.id
    subscription.charge_expires_at = None
    if charge.state == ChargeState.REQUIRES_ACTION:
        patience = UPGRADE_TIME if is_upgrade else FIRST_PAYMENT_TIME
        subscription.charge_expires_at = charge.created_at + patience
        note(subscription, EventKind.CONFIRMATION_NEEDED, charge.created_at, charge_id=charge.id)


def start_or_renew(
    session: Session,
    subscription: Subscription,
    *,
    paid_minor: int,
    at: datetime,
    rules: Rules,
    charge_id: str | None = None,
) -> None:
    """Begin the next period, which is paid or costs nothing."""
    is_first = subscription.period_index == 0
    before = subscription.tier_id
    begin_period(session, subscription, paid_minor=paid_minor, at=at, rules=rules)
    if is_first:
        use_promo(session, subscription.id, at=at)
    note(
        subscription,
        EventKind.STARTED if is_first else EventKind.RENEWED,
        at,
        period=subscription.period_index,
        amount_minor=paid_minor,
        currency=subscription.currency,
        charge_id=charge_id,
    )
    if subscription.tier_id != before:
        note(subscription, EventKind.TIER_CHANGED, at, tier_id=subscription.tier_id)


def _follow_decline(
    session: Session, subscription: Subscription, decline: Decline, *, at: datetime, rules: Rules
) -> None:
    """The next period was not paid: what was declined, or given up, is tried again or not."""
    state = state_of(subscription)
    subscription.decline_code = decline.code
    if state in (SubscriptionState.INCOMPLETE, SubscriptionState.CANCELING):
        note(subscription, EventKind.PAYMENT_FAILED, at, decline_code=decline.code)
        was_begun = state is SubscriptionState.CANCELING
        reason = EndReason.FAN if was_begun else EndReason.NEVER_PAID
        end_subscription(session, subscription, reason, at=at)
        return
    was_asked_for = subscription.payment_asked_at is not None
    subscription.payment_asked_at = None
    subscription.declines += 1
    if state is SubscriptionState.PAST_DUE and not was_asked_for:
        subscription.retries_done += 1
    # A try of the fan's own takes nothing from the planned ones, unless the card is dead.
    goes_on = was_asked_for and decline.kind is DeclineKind.SOFT and subscription.retry_at
    if not goes_on:
        _plan_retry(subscription, decline.kind, at)
    if state is not SubscriptionState.PAST_DUE:
        _fall_behind(session, subscription, state, at=at, rules=rules)
    retry_at = subscription.retry_at
    note(
        subscription,
        EventKind.PAYMENT_FAILED,
        at,
        decline_code=decline.code,
        retry_at=retry_at.isoformat() if retry_at else None,
    )
    if not was_asked_for:
        _tell_of_decline(session, subscription, decline, at=at, rules=rules)


def _plan_retry(subscription: Subscription, kind: DeclineKind, at: datetime) -> None:
    subscription.first_declined_at = subscription.first_declined_at or at
    plan = after_decline(
        kind,
        retries_done=subscription.retries_done,
        first_declined_at=subscription.first_declined_at,
        at=at,
    )
    subscription.retry_at, subscription.give_up_at = plan.retry_at, plan.give_up_at


def _fall_behind(
    session: Session,
    subscription: Subscription,
    state: SubscriptionState,
    *,
    at: datetime,
    rules: Rules,
) -> None:
    """Past due from now on. Only who has paid before has access through the grace."""
    move_to(subscription, SubscriptionState.PAST_DUE)
    if state is SubscriptionState.ACTIVE:
        set_access(session, subscription, at=at, rules=rules)
        return
    subscription.resume_at = None
    subscription.period_end = None
    set_access(session, subscription, at=at, rules=rules)


def _tell_of_decline(
    session: Session, subscription: Subscription, decline: Decline, *, at: datetime, rules: Rules
) -> None:
    until = access_until(state_of(subscription), subscription.period_end, grace=rules.grace)
    facts = {"amount": Money(decline.amount_minor, subscription.currency).formatted}
    if subscription.retry_at is not None:
        facts["retry_at"] = in_words(subscription.retry_at)
    facts["access_until"] = in_words(max(until or at, at))
    tell_fan(session, subscription, Notice.PAYMENT_FAILED, **facts)


def _follow_upgrade(
    session: Session, subscription: Subscription, charge: Charge, *, at: datetime, rules: Rules
) -> None:
    if charge.state == ChargeState.PAID:
        change_tier_now(session, subscription, paid_minor=charge.amount_minor, at=at, rules=rules)
        return
    fail_upgrade(subscription, at=at, decline_code=charge.decline_code)


def fail_upgrade(subscription: Subscription, *, at: datetime, decline_code: str | None) -> None:
    """An upgrade was not paid: all stays as it is."""
    tier_id = subscription.upgrade_tier_id
    drop_upgrade(subscription)
    note(subscription, EventKind.TIER_CHANGE_FAILED, at, tier_id=tier_id, decline_code=decline_code)


def change_tier_now(
    session: Session,
    subscription: Subscription,
    *,
    paid_minor: int,
    at: datetime,
    rules: Rules,
) -> None:
    """Open the higher tier of an upgrade that is paid, or costs nothing."""
    assert subscription.upgrade_tier_id is not None
    assert subscription.upgrade_price_minor is not None
    subscription.tier_id = subscription.upgrade_tier_id
    subscription.price_minor = subscription.upgrade_price_minor
    subscription.bundle_bps = subscription.upgrade_bundle_bps or 0
    subscription.period_paid_minor += paid_minor
    subscription.next_tier_id = None
    subscription.next_price_minor = subscription.next_bundle_bps = None
    subscription.told_price_minor = subscription.told_at = None
    subscription.agreed_price_minor = None
    drop_upgrade(subscription)
    note(
        subscription,
        EventKind.TIER_CHANGED,
        at,
        tier_id=subscription.tier_id,
        amount_minor=paid_minor,
        currency=subscription.currency,
    )
    set_access(session, subscription, at=at, rules=rules)


def plan_upgrade(subscription: Subscription, *, at: datetime) -> None:
    """Let an upgrade that its period ended before come with the next one. What it would have
    cost was for the rest of that period, and there is none: the next one is paid in full."""
    tier_id = subscription.upgrade_tier_id
    assert tier_id is not None
    subscription.next_tier_id = tier_id
    subscription.next_price_minor = subscription.upgrade_price_minor
    subscription.next_bundle_bps = subscription.upgrade_bundle_bps
    drop_upgrade(subscription)
    note(subscription, EventKind.TIER_CHANGE_PLANNED, at, tier_id=tier_id)


def drop_upgrade(subscription: Subscription) -> None:
    """An upgrade that was made, or came to nothing; the next one has another charge."""
    subscription.upgrades += 1
    subscription.upgrade_tier_id = subscription.upgrade_price_minor = None
    subscription.upgrade_bundle_bps = subscription.upgrade_cost_minor = None
