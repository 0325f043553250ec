"""Tiers: what creators may sell as a subscription, for how much, and how it is bundled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.errors import Conflict, Invalid
from domain.tips import TIP_MINOR_BOUNDS

PRICE_MINOR_BOUNDS = {"EUR": (300, 50_000), "GBP": (300, 50_000), "USD": (300, 50_000)}
"""Least and most of a month's price that is not 0, in minor units, by currency (ISO 4217)."""
NAME_CHARS_MAX = 60
DESCRIPTION_CHARS_MAX = 1_000
BENEFITS_MAX = 20
BENEFIT_CHARS_MAX = 120
TIERS_MAX = 10
"""Of one creator, those that are archived left out."""
TRIAL_DAYS_MAX = 30
SUBSCRIBER_CAP_MAX = 1_000_000
BUNDLE_MONTHS = (3, 6, 12)
BUNDLE_BPS_BOUNDS = (100, 5_000)
"""Of a bundle's discount. Half of the least price for 3 months can still be charged."""
PROMOS_MAX = 100
"""Codes of one creator, those that are archived left out."""
SUBSCRIBER_DISCOUNT_BPS_MAX = 9_000
"""What a creator may take off for subscribers who unlock something."""


def check_tip_minimum(minimum_minor: int, currency: str) -> None:
    """May a creator want that much with every tip?

    Raises:
        Invalid: `tip_minimum_out_of_bounds`.
    """
    least, most = TIP_MINOR_BOUNDS[currency]
    if not least <= minimum_minor <= most:
        raise Invalid(
            f"The least tip is from {least} to {most} in minor units of {currency}.",
            code="tip_minimum_out_of_bounds",
            tip_minimum_minor=minimum_minor,
            least=least,
            most=most,
        )


def check_currency(currency: str) -> None:
    """Raises `Invalid` with `currency_unknown` where nothing is sold in it."""
    if currency not in PRICE_MINOR_BOUNDS:
        known = ", ".join(PRICE_MINOR_BOUNDS)
        raise Invalid(f"Prices are in one of: {known}.", code="currency_unknown", currency=currency)


@dataclass(frozen=True, slots=True)
class TierTerms:
    """What a tier costs a month, in minor units of `currency`; 0 is free."""

    price_minor: int
    currency: str
    trial_days: int = 0

    def check(self) -> None:
        """Do the parts fit each other?

        Raises:
            Invalid: `currency_unknown`, `price_out_of_bounds` or `trial_unfit`.
        """
        check_currency(self.currency)
        least, most = PRICE_MINOR_BOUNDS[self.currency]
        if self.price_minor != 0 and not least <= self.price_minor <= most:
            raise Invalid(
                f"A tier is free, or costs {least} to {most} in minor units of {self.currency}.",
                code="price_out_of_bounds",
                price_minor=self.price_minor,
                least=least,
                most=most,
            )
        if self.price_minor == 0 and self.trial_days:
            raise Invalid("What is free needs no trial.", code="trial_unfit")


def check_order(wanted: Sequence[str], live: Sequence[str]) -> None:
    """Does an order of tiers name each live one once?

    Raises:
        Conflict: `tiers_changed`; it names others than there are.
    """
    if sorted(wanted) != sorted(live):
        raise Conflict(
            "Name each of your tiers once. Read them again, they may have changed.",
            code="tiers_changed",
        )
