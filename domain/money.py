"""Money: whole minor units of one currency, and how a whole is split into parts.

Floats never touch money. What a minor unit is follows Stripe, whose amounts ours have to
equal: https://docs.stripe.com/currencies. That differs from ISO 4217 in two currencies, ISK
and UGX: both have no decimals any more, and Stripe still counts their hundredths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.errors import Invalid

BPS = 10_000
"""Basis points of a whole."""

_TWO_DECIMALS = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BWP BYN BZD CAD
    CDF CHF CNY COP CRC CVE CZK DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GTQ GYD HKD HNL
    HTG HUF IDR ILS INR ISK JMD KES KGS KHR KYD KZT LAK LBP LKR LRD LSL MAD MDL MKD MMK MNT MOP
    MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR
    SBD SCR SEK SGD SHP SLE SOS SRD STD SZL THB TJS TOP TRY TTD TWD TZS UAH UGX USD UYU UZS WST
    XCD XCG YER ZAR ZMW
"""
_NO_DECIMALS = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF"
_THREE_DECIMALS = "BHD JOD KWD OMR TND"

EXPONENTS: dict[str, int] = {
    **dict.fromkeys(_TWO_DECIMALS.split(), 2),
    **dict.fromkeys(_NO_DECIMALS.split(), 0),
    **dict.fromkeys(_THREE_DECIMALS.split(), 3),
}
"""Decimals of each currency that Stripe takes, by its code (ISO 4217, upper case)."""

_CHARGE_STEPS = {"ISK": 100, "UGX": 100, **dict.fromkeys(_THREE_DECIMALS.split(), 10)}
_PAYOUT_STEPS = {**_CHARGE_STEPS, "HUF": 100, "TWD": 100}


def exponent_of(currency: str) -> int:
    """How many decimals the currency has: 2 for USD, 0 for JPY, 3 for KWD.

    Raises:
        Invalid: `currency_unknown`; Stripe takes none of that code.
    """
    exponent = EXPONENTS.get(currency)
    if exponent is None:
        raise Invalid(
            f"There is no currency {currency!r} here.", code="currency_unknown", currency=currency
        )
    return exponent


def charge_step_minor(currency: str) -> int:
    """What an amount that is charged has to be a multiple of, in minor units.

    Three-decimal currencies end in 0; ISK and UGX in 00 (docs.stripe.com/currencies).

    Raises:
        Invalid: `currency_unknown`.
    """
    exponent_of(currency)
    return _CHARGE_STEPS.get(currency, 1)


def payout_step_minor(currency: str) -> int:
    """What an amount that is paid out has to be a multiple of, in minor units.

    As for charges; besides, HUF and TWD end in 00 (docs.stripe.com/currencies).

    Raises:
        Invalid: `currency_unknown`.
    """
    exponent_of(currency)
    return _PAYOUT_STEPS.get(currency, 1)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in whole minor units (cents of USD, yen of JPY); may be negative.

    Two amounts are added, subtracted or compared in one currency only.

    Raises:
        Invalid: `currency_unknown`; `amount_not_whole` for anything but an int; and of an
            operation between two currencies `currency_mismatch`.
    """

    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        exponent_of(self.currency)
        if type(self.amount_minor) is not int:
            raise Invalid(
                "Money is counted in whole minor units.",
                code="amount_not_whole",
                amount=repr(self.amount_minor),
            )

    def __add__(self, other: Money) -> Money:
        self._require_same(other)
        return Money(self.amount_minor + other.amount_minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._require_same(other)
        return Money(self.amount_minor - other.amount_minor, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount_minor, self.currency)

    def __lt__(self, other: Money) -> bool:
        self._require_same(other)
        return self.amount_minor < other.amount_minor

    def __le__(self, other: Money) -> bool:
        self._require_same(other)
        return self.amount_minor <= other.amount_minor

    def __gt__(self, other: Money) -> bool:
        return other < self

    def __ge__(self, other: Money) -> bool:
        return other <= self

    def __bool__(self) -> bool:
        return self.amount_minor != 0

    @property
    def formatted(self) -> str:
        """For people, independent of any locale: `12.34 USD`, `-500 JPY`, `1.250 KWD`."""
        exponent = exponent_of(self.currency)
        digits = str(abs(self.amount_minor)).rjust(exponent + 1, "0")
        whole, decimals = digits[: len(digits) - exponent], digits[len(digits) - exponent :]
        sign = "-" if self.amount_minor < 0 else ""
        return f"{sign}{whole}{'.' if decimals else ''}{decimals} {self.currency}"

    def split(self, weights: Sequence[int]) -> list[Money]:
        """As `split_by_weights`, in this currency."""
        parts = split_by_weights(self.amount_minor, weights)
        return [Money(part, self.currency) for part in parts]

    def _require_same(self, other: Money) -> None:
        if other.currency != self.currency:
            raise Invalid(
                f"{self.currency} and {other.currency} are not added or compared.",
                code="currency_mismatch",
                one=self.currency,
                other=other.currency,
            )


def split_by_weights(total_minor: int, weights: Sequence[int]) -> list[int]:
    """Parts in proportion to `weights` whose sum is exactly `total_minor`.

    By largest remainder: each part is rounded towards zero, then the units that are left go
    one each to the parts that lost most, the earlier first among equals. A part is within one
    unit of its exact share, has the sign of the total, and is 0 where its weight is.

    Raises:
        ValueError: no weight is above zero, or one is below it.
    """
    whole = sum(weights)
    if whole <= 0 or any(weight < 0 for weight in weights):
        raise ValueError(f"weights are >= 0, and one at least is above it: {list(weights)}")
    size, sign = abs(total_minor), -1 if total_minor < 0 else 1
    parts = [size * weight // whole for weight in weights]
    lost = [size * weight % whole for weight in weights]
    by_loss = sorted(range(len(parts)), key=lambda place: (-lost[place], place))
    for place in by_loss[: size - sum(parts)]:
        parts[place] += 1
    return [sign * part for part in parts]


def share_of(amount_minor: int, bps: int) -> int:
    """`bps` basis points of an amount, rounded to the nearest unit, halves away from zero.

    So 20 % of 999 is 200, of 2 it is 0, and of -999 it is -200. The other party's part is
    what is left: it is subtracted, never rounded by itself.

    Raises:
        ValueError: `bps` is outside 0 to 10,000.
    """
    if not 0 <= bps <= BPS:
        raise ValueError(f"a share is from 0 to {BPS} basis points, not {bps}")
    size = (abs(amount_minor) * bps * 2 + BPS) // (2 * BPS)
    return -size if amount_minor < 0 else size
