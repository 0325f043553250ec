"""The end of a subscription, whoever or whatever ends it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from domain.charges.states import ChargeKind
from domain.subscriptions.events import EventKind
from domain.subscriptions.notices import Notice
from domain.subscriptions.rules import Rules
from domain.subscriptions.states import EndReason, SubscriptionState
from infra.models import Charge, Subscription
from infra.queries.subscriptions.giving import set_access
from infra.queries.subscriptions.mails import tell_fan
from infra.queries.subscriptions.rows import lock_subscription, move_to, note, state_of
from infra.queries.tiers.promos import release_promo

_UNTOLD = frozenset({EndReason.NEVER_PAID, EndReason.FAN_GONE})
"""The fan sees the one on their screen, and is not there for the other."""


def end_subscription(
    session: Session, subscription: Subscription, reason: EndReason, *, at: datetime
) -> None:
    """End a locked subscription that is not over, and its access with it.

    A payment that is under way stays written down: its run gives it up.
    """
    move_to(subscription, reason.state)
    subscription.end_reason, subscription.ended_at = reason.value, at
    subscription.wake_at = at if subscription.charge_id is not None else None
    subscription.payment_asked_at = subscription.retry_at = subscription.give_up_at = None
    subscription.resume_at = subscription.trial_notice_at = None
    note(subscription, EventKind.ENDED, at, reason=reason.value)
    if subscription.period_start is None:
        release_promo(session, subscription.id, at=at)
    set_access(session, subscription, at=at, rules=Rules())
    if reason not in _UNTOLD:
        tell_fan(session, subscription, Notice.ENDED, reason=reason.value)


def end_all_of(
    session: Session, user_id: str, reason: EndReason, *, at: datetime, limit: int
) -> list[tuple[str, str]]:
    """End a person's subscriptions and those to them, up to `limit`.

    Returns the ids of each and of its creator, so that their runs can be told.
    """
    live = (
        select(Subscription)
        .where(
            or_(Subscription.fan_id == user_id, Subscription.creator_id == user_id),
            Subscription.state.not_in([SubscriptionState.CANCELED, SubscriptionState.EXPIRED]),
        )
        .order_by(Subscription.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ended = []
    for subscription in session.scalars(live):
        end_subscription(session, subscription, reason, at=at)
        ended.append((subscription.id, subscription.creator_id))
    return ended


def take_back(session: Session, charge: Charge, *, at: datetime, why: str) -> None:
    """End what a charge paid for whose money went back; again it changes nothing.

    A dispute that was lost ends the subscription whichever period it was about. A refund ends
    it if the period that was paid still runs; what is long over needs no end.

    Args:
        why: `refunded` or `disputed`.
    """
    assert charge.kind == ChargeKind.SUBSCRIPTION
    subscription = lock_subscription(session, charge.subject_id)
    if state_of(subscription).is_final:
        return
    reason = EndReason(why)
    if reason is EndReason.REFUNDED and not _pays_for_now(subscription, charge):
        return
    end_subscription(session, subscription, reason, at=at)


def _pays_for_now(subscription: Subscription, charge: Charge) -> bool:
    """Whether it paid for the period that runs, or for an upgrade in it."""
    if charge.step.startswith("upgrade:"):
        return charge.paid_at is not None and (
            subscription.period_start is not None and charge.paid_at >= subscription.period_start
        )
    return charge.step == f"period:{subscription.period_index}"
