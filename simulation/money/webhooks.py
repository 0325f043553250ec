"""What Stripe sends, handed in as the route of the endpoint does."""

from __future__ import annotations

from temporalio.service import RPCError

from devstack.stripe.store import PLATFORM
from devstack.stripe.webhooks import Delivery
from domain.stripe_events import EventState
from infra.db import transaction
from infra.queries.stripe_events import inbox
from infra.stripe.webhooks import verified_event
from simulation.money.parts import Parts
from workflows.stripe_events.start import tell_owner


def unheard(parts: Parts) -> int:
    """How many deliveries Stripe still has to bring, now or later."""
    return len(parts.way.stripe.scope().world.store.all(PLATFORM, "_delivery"))


async def hear(parts: Parts, delivery: Delivery) -> int:
    """Hand one delivery in; returns the status that Stripe is answered with."""
    settings, now = parts.settings, parts.now
    secrets = (
        settings.stripe_connect_webhook_secrets
        if delivery.account
        else settings.stripe_webhook_secrets
    )
    signature = delivery.headers["Stripe-Signature"]
    event = verified_event(delivery.body, signature, secrets=secrets, at=now)
    with transaction(parts.engine) as session:
        kept = inbox.keep(session, event, at=now)
    if kept.owner is None:
        return 200
    try:
        told = await tell_owner(
            parts.temporal.client, kept.owner, kept.facts, queue_prefix=parts.queue_prefix
        )
    except RPCError:  # It is written down; the sweep tells.
        return 200
    with transaction(parts.engine) as session:
        if told:
            inbox.settle(session, kept.facts.id, EventState.HANDLED, at=now, owner=kept.owner)
        else:
            inbox.settle_untold(session, kept.facts, kept.owner, at=now)
    return 200
