"""How much of what is available is paid out, and from how much on."""

from __future__ import annotations

from domain.errors import Invalid
from domain.money import exponent_of, payout_step_minor

_MINIMUM_UNITS = {
    currency: units
    for units, currencies in (
        (10, "BHD JOD KWD OMR TND"),
        (20, "AUD CAD CHF EUR GBP NZD SGD USD"),
        (80, "AED BRL ILS MYR PLN QAR RON SAR"),
        (300, "CZK DKK HKD MXN NOK SEK THB TRY ZAR"),
        (1_000, "INR PHP TWD UYU"),
        (4_000, "HUF ISK JPY KES"),
        (30_000, "CLP COP CRC KRW NGN PYG"),
        (400_000, "IDR UGX VND"),
    )
    for currency in currencies.split()
}
"""Least payout in whole units of its currency: about 20 US dollars, so that what banks and
Stripe ask for each payout stays a small part of it."""


def minimum_minor(currency: str) -> int:
    """The least payout in this currency, in minor units; a multiple of its payout step.

    Raises:
        Invalid: `payout_currency_unknown`: nobody has said what the least payout is there.
    """
    units = _MINIMUM_UNITS.get(currency)
    if units is None:
        raise Invalid(
            f"Nothing is paid out in {currency}.",
            code="payout_currency_unknown",
            currency=currency,
        )
    return units * int(10 ** exponent_of(currency))


def has_minimum(currency: str) -> bool:
    """Whether anything is paid out in this currency at all."""
    return currency in _MINIMUM_UNITS


def payable_minor(available_minor: int, currency: str) -> int:
    """The most that can be paid out of this much. What is left (below one step of the currency)
    stays available and goes with the next payout.

    Raises:
        Invalid: `currency_unknown`.
    """
    step = payout_step_minor(currency)
    return max(available_minor, 0) // step * step
