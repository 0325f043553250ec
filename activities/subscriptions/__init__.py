"""What keeps subscriptions going."""

from datetime import timedelta

from activities.charges.taking import ChargeTaker
from activities.parts import WorkerParts
from activities.subscriptions.sweeping import SubscriptionSweep
from activities.subscriptions.tending import SubscriptionActivities
from domain.subscriptions.rules import Rules

__all__ = ["SubscriptionActivities", "subscription_activities"]


def subscription_activities(parts: WorkerParts) -> SubscriptionActivities:
    """All of them, on the parts of a worker process."""
    settings, engine = parts.settings, parts.engine
    rules = Rules(grace=timedelta(days=settings.subscription_grace_days))
    sweep = SubscriptionSweep(
        engine, parts.temporal, queue_prefix=settings.task_queue_prefix, rules=rules
    )
    taker = ChargeTaker(settings, engine, parts.gateway)
    return SubscriptionActivities(engine, taker, sweep, rules)
