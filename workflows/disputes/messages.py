"""What disputes pass between workflow and activities: ids and times.

Every field added later needs a default, so that old histories still replay.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain.disputes import Answer, DisputeState

LOOKS_MAX = 200


@dataclass(frozen=True)
class DisputeOrder:
    stripe_dispute_id: str
    looks_max: int = LOOKS_MAX
    """After so many looks the run goes on as a new one, so that its history stays short."""


@dataclass(frozen=True)
class DisputeStep:
    stripe_dispute_id: str
    at: datetime


@dataclass(frozen=True)
class DisputeLook:
    """How a dispute stands."""

    state: DisputeState
    answer: Answer | None = None
    """What is to be answered now."""
    submits_at: datetime | None = None
    """When its evidence is submitted without a word from staff."""
    is_booked: bool = True
    """Whether Stripe's balance says of it what it has to by now."""
    tell_run: str | None = None
    """The run that owns the charge, where the dispute was lost."""
    charge_id: str | None = None
