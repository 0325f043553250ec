"""What an unlock costs a fan, and whether it is still what they were told."""

from __future__ import annotations

from dataclasses import dataclass

from domain.errors import Conflict
from domain.money import share_of
from domain.subscriptions.pricing import CHARGE_MINOR_MIN


@dataclass(frozen=True, slots=True)
class UnlockTerms:
    """The price of one item for one fan, in minor units of `currency`."""

    list_minor: int
    discount_minor: int
    currency: str

    @property
    def price_minor(self) -> int:
        """What the fan pays, with the tax that is in it."""
        return self.list_minor - self.discount_minor


def terms_for(*, list_minor: int, currency: str, discount_bps: int) -> UnlockTerms:
    """What an item costs somebody who has that much off, as subscribers may.

    They pay the least that can be charged at least: what costs nothing is no purchase.
    """
    discount = share_of(list_minor, discount_bps)
    most = max(0, list_minor - CHARGE_MINOR_MIN.get(currency, list_minor))
    return UnlockTerms(list_minor, min(discount, most), currency)


def check_quote(terms: UnlockTerms, *, price_minor: int, currency: str) -> None:
    """Refuse a purchase for another price than the fan was told.

    Raises:
        Conflict: `price_changed`, with the price as it is now.
    """
    if (terms.price_minor, terms.currency) != (price_minor, currency):
        raise Conflict(
            "The price is another one now. Show it, and ask again.",
            code="price_changed",
            price_minor=terms.price_minor,
            currency=terms.currency,
        )
