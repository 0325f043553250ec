"""Side effects that the sweep of Stripe's events asks for. Implementations:
`activities/stripe_events/`."""

from __future__ import annotations

from workflows.declarations import declare
from workflows.stripe_events.messages import EventSweep, EventSweepReport


@declare
def sweep_stripe_events(sweep: EventSweep) -> EventSweepReport:
    """Fetch events whose delivery has not come, and tell the owners of those that were not told
    or that had none; delete old ones."""
    raise NotImplementedError
