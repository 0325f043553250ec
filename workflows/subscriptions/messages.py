"""What a subscription's run passes to activities and hears from people.

Every field added later needs a default, so that old histories still replay.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.charges.states import ChargeState
from domain.subscriptions.states import SubscriptionState

TENDINGS_MAX = 60
"""After so many looks at the row, a run goes on as a new one even within a period."""


@dataclass(frozen=True)
class Tending:
    """Do what is due at that moment."""

    subscription_id: str
    at: datetime


@dataclass(frozen=True)
class SubscriptionLook:
    """How a subscription stands once nothing is left to do, and when there will be."""

    state: SubscriptionState
    period_index: int = 0
    wake_at: datetime | None = None
    """When to look next; None: it is over."""
    charge_id: str | None = None
    """Of the payment that is under way."""
    charge_state: ChargeState | None = None
    decline_code: str | None = None
    """Of the last try, until one goes through."""
    end_reason: str | None = None

    @property
    def outcome(self) -> str:
        """What the fan hears of a payment: `requires_action`, `processing`, `declined`, or the
        state that the subscription is in."""
        if self.charge_state in (ChargeState.REQUIRES_ACTION, ChargeState.PROCESSING):
            return self.charge_state.value
        return "declined" if self.decline_code is not None else self.state.value


@dataclass(frozen=True)
class SubscriptionOrder:
    """One run a subscription; its row says everything else."""

    subscription_id: str
    creator_id: str
    tendings_max: int = TENDINGS_MAX
    look: SubscriptionLook | None = None
    """What the run before this one saw last: it need not be asked again."""


class ChangeKind(StrEnum):
    CANCEL = "cancel"
    RESUME = "resume"
    PAUSE = "pause"
    CHANGE_TIER = "change_tier"
    USE_NEW_CARD = "use_new_card"
    CONSENT_TO_PRICE = "consent_to_price"


@dataclass(frozen=True)
class Cancel:
    now: bool = False
    """At once, and not with the period that is paid."""


@dataclass(frozen=True)
class Pause:
    resume_at: datetime


@dataclass(frozen=True)
class ChangeTier:
    tier_id: str


@dataclass(frozen=True)
class UseNewCard:
    payment_method_id: str


@dataclass(frozen=True)
class ConsentToPrice:
    price_minor: int
    """The price, a month, that the fan read."""


@dataclass(frozen=True)
class Change:
    """One wish of the fan's, for the activity that writes it down."""

    subscription_id: str
    kind: ChangeKind
    at: datetime
    now: bool = False
    resume_at: datetime | None = None
    tier_id: str | None = None
    payment_method_id: str | None = None
    price_minor: int | None = None


@dataclass(frozen=True)
class Refusal:
    """Why a wish was not fulfilled; an answer and no failure."""

    code: str
    message: str
    kind: str = "Conflict"
    """Of the errors in `domain/errors.py`: `Conflict`, `Invalid` or `NotFound`."""


@dataclass(frozen=True)
class ChangeResult:
    look: SubscriptionLook | None = None
    refusal: Refusal | None = None


@dataclass(frozen=True)
class SubscriptionSweepOrder:
    at: datetime


@dataclass(frozen=True)
class SubscriptionSweepReport:
    tended_runs: int = 0
    told_of_prices: int = 0
