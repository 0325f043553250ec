"""What the sweep of Stripe's events passes to its activity and back.

Every field added later needs a default, so that old histories still replay.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class EventSweep:
    at: datetime


@dataclass(frozen=True)
class EventSweepReport:
    polled: int = 0
    """Events that had not been delivered."""
    told: int = 0
    parked: int = 0
    """Still without an owner that could be told."""
    given_up: int = 0
    """Events whose owner was not found in three days."""
    deleted: int = 0
    """Old ones that are settled."""
