"""A subscription's row: locking it, reading how it stands, writing its history."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from domain.accounts import Role
from domain.errors import Fact, NotFound
from domain.subscriptions.events import EventKind
from domain.subscriptions.life import Standing
from domain.subscriptions.pricing import RenewalRule
from domain.subscriptions.rules import Rules
from domain.subscriptions.states import EndReason, SubscriptionState, may_become
from infra.models import Block, Subscription, SubscriptionEvent, User
from infra.queries.subscriptions.prices import renewal_price


def lock_subscription(session: Session, subscription_id: str) -> Subscription:
    """The row, locked, as it stands now.

    Raises:
        NotFound: `subscription_unknown`.
    """
    found = session.get(Subscription, subscription_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound(
            "There is no such subscription.",
            code="subscription_unknown",
            subscription_id=subscription_id,
        )
    return found


def state_of(subscription: Subscription) -> SubscriptionState:
    return SubscriptionState(subscription.state)


def move_to(subscription: Subscription, state: SubscriptionState) -> None:
    """Change the state, by a way that there is."""
    assert may_become(state_of(subscription), state), (subscription.state, state)
    subscription.state = state.value


def note(subscription: Subscription, kind: EventKind, at: datetime, **facts: Fact) -> None:
    """Count a change of a locked subscription, and write down what it was."""
    session = Session.object_session(subscription)
    assert session is not None, "a locked row has its session"
    subscription.version += 1
    subscription.updated_at = at
    event = SubscriptionEvent(
        subscription_id=subscription.id,
        seq=subscription.version,
        kind=kind.value,
        at=at,
        facts={name: value for name, value in facts.items() if value is not None},
    )
    session.add(event)


def standing_of(session: Session, subscription: Subscription, rules: Rules) -> Standing:
    """How a subscription stands, with what its people's accounts have to say to it."""
    state = state_of(subscription)
    return Standing(
        state=state,
        created_at=subscription.created_at,
        period_end=subscription.period_end,
        charge_under_way=subscription.charge_id is not None,
        charge_expires_at=subscription.charge_expires_at,
        must_end=None if state.is_final else _outside_end(session, subscription),
        wants_trial=subscription.trial_days is not None,
        wants_payment=subscription.payment_asked_at is not None,
        wants_upgrade=subscription.upgrade_tier_id is not None,
        retry_at=subscription.retry_at,
        give_up_at=subscription.give_up_at,
        resume_at=subscription.resume_at,
        trial_notice_at=subscription.trial_notice_at,
        price_refused=not state.is_final and _is_price_refused(session, subscription, rules),
    )


def _is_price_refused(session: Session, subscription: Subscription, rules: Rules) -> bool:
    """Whether the next period has a price that the fan was told of and did not agree to."""
    if subscription.next_tier_id is not None:
        return False  # They chose what comes next, and saw what it costs.
    return renewal_price(session, subscription, rules).rule is RenewalRule.UNANSWERED


def _outside_end(session: Session, subscription: Subscription) -> EndReason | None:
    """What ends a subscription from outside of it, if anything does."""
    ids = (subscription.fan_id, subscription.creator_id)
    people = {user.id: user for user in session.scalars(select(User).where(User.id.in_(ids)))}
    fan, creator = people[subscription.fan_id], people[subscription.creator_id]
    if fan.suspended_at is not None or creator.suspended_at is not None:
        return EndReason.BANNED
    if fan.deleted_at is not None:
        return EndReason.FAN_GONE
    if creator.deleted_at is not None or creator.role != Role.CREATOR:
        return EndReason.CREATOR_GONE
    blocked = exists().where(
        or_(
            (Block.blocker_id == fan.id) & (Block.blocked_id == creator.id),
            (Block.blocker_id == creator.id) & (Block.blocked_id == fan.id),
        )
    )
    return EndReason.BLOCKED if session.scalar(select(blocked)) else None
