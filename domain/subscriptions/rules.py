"""What an operator may choose about subscriptions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from domain.subscriptions.pricing import PRICE_NOTICE


@dataclass(frozen=True, slots=True)
class Rules:
    grace: timedelta = timedelta(days=3)
    """For how long a renewal that failed takes no access away."""
    price_notice: timedelta = PRICE_NOTICE
    """Least time between the mail that tells of a higher price and the renewal that has it."""
