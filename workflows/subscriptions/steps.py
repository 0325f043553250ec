"""Side effects that subscriptions ask for. Implementations: `activities/subscriptions/`."""

from __future__ import annotations

from workflows.declarations import declare
from workflows.subscriptions.messages import (
    Change,
    ChangeResult,
    SubscriptionLook,
    SubscriptionSweepOrder,
    SubscriptionSweepReport,
    Tending,
)


@declare
def tend_subscription(tending: Tending) -> SubscriptionLook:
    """Do all that is due: charge, begin or end periods, retry, pause, end."""
    raise NotImplementedError


@declare
def change_subscription(change: Change) -> ChangeResult:
    """Write down what the fan wishes, or say why not. Takes no money."""
    raise NotImplementedError


@declare
def sweep_subscriptions(order: SubscriptionSweepOrder) -> SubscriptionSweepReport:
    """Begin runs that are missing, and tell fans of prices that rise."""
    raise NotImplementedError
