"""What setting up a card passes between workflow and activities: ids and times, no secret.

Every field added later needs a default, so that old histories still replay.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain.payment_methods import SetupState


@dataclass(frozen=True)
class CardSetupOrder:
    setup_id: str
    fan_id: str
    at: datetime


@dataclass(frozen=True)
class CardSetupLook:
    setup_id: str
    at: datetime
    is_last: bool = False
    """The time is up: what is not confirmed now is closed."""


@dataclass(frozen=True)
class CardSetupOutcome:
    """How the setup stands; the row has the secret that the browser needs."""

    setup_id: str
    state: SetupState
    expires_at: datetime


@dataclass(frozen=True)
class CardRemovalOrder:
    payment_method_id: str
    at: datetime
