"""What an unlock costs a fan, and whether it is still what they were told."""

from __future__ import annotations

from dataclasses import dataclass

from domain.errors import Conflict
from domain.money import share_of


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


def terms_for(
    *, list_minor: int, currency: str, discount_bps: int, is_subscriber: bool
) -> UnlockTerms:
    """What an item costs somebody. Subscribers get the creator's discount off, and pay at least
    one minor unit: what costs nothing is no purchase."""
    discount = share_of(list_minor, discount_bps) if is_subscriber else 0
    return UnlockTerms(list_minor, min(discount, list_minor - 1), currency)


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
