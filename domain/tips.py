"""Tips: how much may be given, and how much in one day."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from domain.charges.states import ChargeState
from domain.errors import Invalid, QuotaExceeded

TIP_MINOR_BOUNDS = {"EUR": (100, 20_000), "GBP": (100, 20_000), "USD": (100, 20_000)}
"""Least and most of one tip, in minor units, by currency."""

DAILY_MINOR_BY_AGE: tuple[tuple[timedelta, int], ...] = (
    (timedelta(days=0), 5_000),
    (timedelta(days=7), 20_000),
    (timedelta(days=30), 50_000),
    (timedelta(days=180), 100_000),
)
"""From which age of an account on it may tip how much in 24 hours. Stolen cards are emptied by
new accounts; who has been here for half a year has been seen."""

WINDOW = timedelta(hours=24)
NOTE_CHARS_MAX = 500


class TipState(StrEnum):
    CHARGING = "charging"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    SENT = "sent"
    DECLINED = "declined"
    CANCELED = "canceled"
    """The fan did not confirm in time; nothing was taken."""
    TAKEN_BACK = "taken_back"
    """Refunded in full, or disputed and lost."""

    @property
    def is_under_way(self) -> bool:
        """Whether a run has to be there that brings it to an end."""
        return self in UNDER_WAY


UNDER_WAY = frozenset({TipState.CHARGING, TipState.REQUIRES_ACTION, TipState.PROCESSING})

STATE_OF_CHARGE: dict[ChargeState, TipState] = {
    ChargeState.OPEN: TipState.CHARGING,
    ChargeState.REQUIRES_ACTION: TipState.REQUIRES_ACTION,
    ChargeState.PROCESSING: TipState.PROCESSING,
    ChargeState.PAID: TipState.SENT,
    ChargeState.DECLINED: TipState.DECLINED,
    ChargeState.CANCELED: TipState.CANCELED,
}


def check_tip(amount_minor: int, currency: str, *, least_minor: int | None = None) -> None:
    """Refuse a tip out of bounds; `least_minor` is what the creator wants at least.

    Raises:
        Invalid: `currency_unknown` or `tip_out_of_bounds`.
    """
    bounds = TIP_MINOR_BOUNDS.get(currency)
    if bounds is None:
        known = ", ".join(TIP_MINOR_BOUNDS)
        raise Invalid(f"Tips are in one of: {known}.", code="currency_unknown", currency=currency)
    least, most = max(bounds[0], least_minor or 0), bounds[1]
    if not least <= amount_minor <= most:
        raise Invalid(
            f"A tip is from {least} to {most} in minor units of {currency}.",
            code="tip_out_of_bounds",
            least_minor=least,
            most_minor=most,
        )


def daily_minor_of(account_age: timedelta) -> int:
    """How much an account of that age may tip in 24 hours, in minor units of any currency."""
    return max(most for age, most in DAILY_MINOR_BY_AGE if account_age >= age or not age)


def check_daily(amount_minor: int, *, given_minor: int, account_age: timedelta) -> None:
    """Refuse a tip that makes too much of the last 24 hours.

    Raises:
        QuotaExceeded: `tips_exhausted`, with what is left.
    """
    most = daily_minor_of(account_age)
    if given_minor + amount_minor > most:
        raise QuotaExceeded(
            "That is more than may be tipped in 24 hours. The limit grows with the age of the "
            "account.",
            code="tips_exhausted",
            limit_minor=most,
            left_minor=max(0, most - given_minor),
        )
