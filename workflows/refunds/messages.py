"""What refunds pass between workflow and activities: ids and times.

Every field added later needs a default, so that old histories still replay.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain.refunds import RefundState

LOOKS_MAX = 200


@dataclass(frozen=True)
class RefundOrder:
    refund_id: str
    looks_max: int = LOOKS_MAX
    """After so many looks the run goes on as a new one, so that its history stays short."""


@dataclass(frozen=True)
class RefundStep:
    refund_id: str
    at: datetime


@dataclass(frozen=True)
class RefundLook:
    """How a refund stands."""

    refund_id: str
    state: RefundState
    refused_code: str | None = None
    watched_until: datetime | None = None
    """Of one that succeeded: until when the bank may still send it back."""
    tell_run: str | None = None
    """The run that owns the charge, where all of it has gone back."""
    charge_id: str | None = None


@dataclass(frozen=True)
class RefundSweep:
    at: datetime


@dataclass(frozen=True)
class RefundSweepReport:
    runs_begun: int = 0
    accesses_deleted: int = 0
    disputes_told: int = 0
