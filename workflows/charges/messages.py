"""One try to take money: what is asked for, and what became of it.

Every field added later needs a default, so that old histories still replay.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain.charges.states import ChargeKind, ChargeState, DeclineKind


@dataclass(frozen=True)
class ChargeOrder:
    """Take `amount_minor` (with tax) from a fan, for a thing a creator gives.

    `subject_id`, `step` and `generation` name the try: who repeats the order with all three
    alike hears of the same charge. A new generation is a new try after a decline.
    """

    kind: ChargeKind
    subject_id: str
    step: str
    generation: int
    fan_id: str
    creator_id: str
    amount_minor: int
    currency: str
    payment_method_id: str
    off_session: bool
    """The fan is not there: a bank that wants them to confirm declines instead."""
    workflow_id: str
    at: datetime
    description: str = ""
    """On the fan's receipt."""


@dataclass(frozen=True)
class ChargeLook:
    """A charge that was begun, to be looked at or given up."""

    charge_id: str
    at: datetime


@dataclass(frozen=True)
class ChargeOutcome:
    """How a charge stands now."""

    charge_id: str
    state: ChargeState
    decline_code: str | None = None
    decline_kind: DeclineKind | None = None
    expires_at: datetime | None = None
    """With `requires_action`: when the charge is given up unless the fan confirms."""
    generation: int = 1


@dataclass(frozen=True)
class ChargeSweepOrder:
    at: datetime


@dataclass(frozen=True)
class ChargeSweepReport:
    runs_tended: int = 0
    charges_finished: int = 0
    charges_refused: int = 0
    """Whose fee or tax report Stripe refuses; the log names each."""
