"""What payouts pass between workflows and activities: ids, states and times.

Every field added later needs a default, so that old histories still replay.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain.payouts.states import PayoutState

LOOKS_MAX = 400
"""After so many steps a run goes on as a new one, so that its history stays short."""


@dataclass(frozen=True)
class PayoutOrder:
    payout_id: str
    creator_id: str
    batch_run: str | None = None
    """Id of the batch that wants to hear once this payout needs it no more."""
    looks_max: int = LOOKS_MAX


@dataclass(frozen=True)
class PayoutStep:
    """Argument of every step of one payout."""

    payout_id: str
    at: datetime


@dataclass(frozen=True)
class PayoutLook:
    """How the row stands after a step."""

    state: PayoutState
    reason: str | None = None
    """Of one that was released, returned, or waits: a code."""
    settles_at: datetime | None = None
    """With `paid`: until when it is provisional."""


@dataclass(frozen=True)
class PayoutAttention:
    """A step that waits for an operator; with neither, none does any more."""

    payout_id: str
    at: datetime
    step: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Verdict:
    """Argument of `approve` and `reject`."""

    operator: str
    note: str = ""


@dataclass(frozen=True)
class PayoutDecision:
    payout_id: str
    at: datetime
    approved: bool
    operator: str
    note: str = ""


@dataclass(frozen=True)
class BatchOrder:
    day: str | None = None
    """ISO 8601. None: of the run's beginning, in UTC."""
    after: str | None = None
    """Where a run goes on that was continued as new."""
    page_size: int = 100
    window: int = 20
    """So many payouts are made ready at a time."""
    pages_max: int = 20
    """After so many pages the run goes on as a new one."""
    started: int = 0
    skipped: int = 0


@dataclass(frozen=True)
class BatchPage:
    day: str
    at: datetime
    after: str | None
    limit: int


@dataclass(frozen=True)
class PlannedPayout:
    payout_id: str
    creator_id: str


@dataclass(frozen=True)
class BatchPlan:
    payouts: tuple[PlannedPayout, ...]
    skipped: int
    after: str | None
    """Where the next page begins; None after the last one."""


@dataclass(frozen=True)
class BatchEnd:
    day: str
    at: datetime
    started: int
    skipped: int


@dataclass(frozen=True)
class ConnectOrder:
    creator_id: str
    looks_max: int = LOOKS_MAX


@dataclass(frozen=True)
class ConnectStep:
    creator_id: str
    at: datetime


@dataclass(frozen=True)
class AccountLook:
    """How the account at Stripe stands."""

    outcome: str
    """`ready`, `waiting` (its owner has to do something) or `none` (there is no account)."""


@dataclass(frozen=True)
class PayoutSweep:
    at: datetime


@dataclass(frozen=True)
class PayoutSweepReport:
    released_creators: int = 0
    started_runs: int = 0
