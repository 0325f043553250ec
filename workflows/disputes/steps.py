"""Side effects that runs of disputes ask for. Implementations: `activities/disputes/`."""

from __future__ import annotations

from workflows.declarations import declare
from workflows.disputes.messages import DisputeLook, DisputeStep


@declare
def look_at_dispute(step: DisputeStep) -> DisputeLook:
    """Ask Stripe how a dispute stands, post what it has moved, and put evidence together.

    Money taken holds the creator's share; given back, releases it; lost, takes it for good and
    ends what was paid for.
    """
    raise NotImplementedError


@declare
def answer_dispute(step: DisputeStep) -> DisputeLook:
    """Submit the evidence of a dispute, or accept it, as was decided or is due; then look."""
    raise NotImplementedError
