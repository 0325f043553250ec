"""The right that a subscription gives, kept as its state says."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from domain.access import GrantSource
from domain.ids import derived_id
from domain.subscriptions.rules import Rules
from domain.subscriptions.states import access_until
from infra.models import Entitlement, Subscription
from infra.queries.subscriptions.rows import state_of


def set_access(session: Session, subscription: Subscription, *, at: datetime, rules: Rules) -> None:
    """Let the right of a locked subscription be what its state and period give from `at` on.

    One right goes on for as long as nothing but its end changes; another tier, or access that
    comes back after a gap, is a right of its own.
    """
    until = access_until(state_of(subscription), subscription.period_end, grace=rules.grace)
    right = _current(session, subscription)
    if until is None or until <= at:
        _end(right, at)
        return
    if right is not None and _goes_on(right, subscription, at):
        right.expires_at = until
        return
    _end(right, at)
    made = Entitlement(
        # The version alone stays the same from one right to the next where nothing is noted
        # between them: an upgrade, and then a renewal after a gap.
        id=derived_id("entitlement", subscription.id, str(subscription.version), at.isoformat()),
        fan_id=subscription.fan_id,
        creator_id=subscription.creator_id,
        tier_id=subscription.tier_id,
        source=GrantSource.SUBSCRIPTION.value,
        starts_at=at,
        expires_at=until,
        created_at=at,
    )
    session.add(made)
    session.flush()
    subscription.entitlement_id = made.id


def _current(session: Session, subscription: Subscription) -> Entitlement | None:
    if subscription.entitlement_id is None:
        return None
    return session.get(Entitlement, subscription.entitlement_id, with_for_update=True)


def _goes_on(right: Entitlement, subscription: Subscription, at: datetime) -> bool:
    is_live = right.revoked_at is None and (right.expires_at is None or right.expires_at > at)
    return is_live and right.tier_id == subscription.tier_id


def _end(right: Entitlement | None, at: datetime) -> None:
    if right is None or right.revoked_at is not None:
        return
    if right.expires_at is None or right.expires_at > at:
        right.revoked_at = at
