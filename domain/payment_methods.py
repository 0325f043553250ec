"""Cards that fans set up to pay with."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

SETUP_TTL = timedelta(hours=23)
"""How long a fan has to enter and confirm a card; as for charges, less than a day."""
CARDS_MAX = 10
"""That one fan may have at a time."""
SETUPS_OPEN_MAX = 3
"""Forms that one fan may have open at a time. Each lets a browser try cards at Stripe."""
DECLINES_PER_DAY_MAX = 10
"""Of one fan's charges, and of cards that they tried to add. Who tries out stolen numbers has
many more; who mistypes has fewer."""
DECLINES_WINDOW = timedelta(hours=24)


class SetupState(StrEnum):
    OPEN = "open"
    SUCCEEDED = "succeeded"
    EXPIRED = "expired"
    """Nobody finished it in time."""
    CANCELED = "canceled"
    """Closed, because too many cards were declined."""
