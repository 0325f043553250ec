"""What platforms tell tax offices of their sellers each year, and from how much on.

Thresholds are data, by region and the first year they hold for. They are the platform's default
reading, for its tax adviser to confirm; whoever is told of is decided by these numbers alone.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.earnings.statements import decimal


class Regime(StrEnum):
    FORM_1099_K = "1099-K"
    DAC7 = "DAC7"
    UK_DIGITAL_PLATFORMS = "UK-DPR"
    CA_PART_XX = "CA-XX"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Threshold:
    """Somebody is told of who is above both. Amounts in minor units of `currency`, gross."""

    regime: Regime
    from_year: int
    currency: str
    gross_above_minor: int
    sales_above: int
    source: str


THRESHOLDS: tuple[Threshold, ...] = (
    # Above 20,000 USD and 200 payments, after the lower limits of 2021 were taken back.
    Threshold(
        Regime.FORM_1099_K, 2022, "USD", 2_000_000, 200, "26 U.S.C. §6050W(e), Pub. L. 119-21"
    ),
    # Personal services are told of from the first euro; the exception is for goods only.
    Threshold(Regime.DAC7, 2023, "EUR", 0, 0, "Directive (EU) 2021/514, Annex V"),
    Threshold(Regime.UK_DIGITAL_PLATFORMS, 2024, "GBP", 0, 0, "SI 2023/817"),
    Threshold(Regime.CA_PART_XX, 2024, "CAD", 0, 0, "Income Tax Act (Canada), Part XX"),
)

_EU = """
    AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK
"""
REGIMES: Mapping[str, Regime] = {
    **dict.fromkeys(_EU.split(), Regime.DAC7),
    "US": Regime.FORM_1099_K,
    "GB": Regime.UK_DIGITAL_PLATFORMS,
    "CA": Regime.CA_PART_XX,
}
"""Under which rules a creator is told of, by the country (ISO 3166-1 alpha-2) they live in."""


@dataclass(frozen=True, slots=True)
class YearOfCreator:
    """What one creator sold in one year and currency, in minor units; refunds taken off."""

    creator_id: str
    handle: str
    country: str | None
    """Of their payout account; None: they have none."""
    currency: str
    sales: int
    gross_by_quarter: tuple[int, int, int, int]
    """What fans paid, tax excluded."""
    commission_minor: int
    tax_minor: int

    @property
    def gross_minor(self) -> int:
        return sum(self.gross_by_quarter)

    @property
    def net_minor(self) -> int:
        return self.gross_minor - self.commission_minor


@dataclass(frozen=True, slots=True)
class Verdict:
    regime: Regime
    is_reported: bool | None
    """None: to be decided by a person, since the threshold is in another currency."""


def threshold_of(regime: Regime, year: int) -> Threshold | None:
    """The one that holds in that year; None where the rules were not in force yet."""
    held = [each for each in THRESHOLDS if each.regime is regime and each.from_year <= year]
    return max(held, key=lambda each: each.from_year, default=None)


def verdict_on(total: YearOfCreator, year: int) -> Verdict:
    """Whether a tax office is told of this creator and year."""
    regime = REGIMES.get(total.country or "", Regime.NONE)
    threshold = threshold_of(regime, year)
    if threshold is None:
        return Verdict(Regime.NONE, False)
    if threshold.gross_above_minor == 0 and threshold.sales_above == 0:
        return Verdict(regime, total.gross_minor > 0)
    if total.sales <= threshold.sales_above:
        return Verdict(regime, False)
    if total.currency != threshold.currency:
        return Verdict(regime, None)
    return Verdict(regime, total.gross_minor > threshold.gross_above_minor)


_COLUMNS = (
    "year",
    "creator_id",
    "handle",
    "country",
    "regime",
    "reported",
    "currency",
    "sales",
    "gross",
    "gross_q1",
    "gross_q2",
    "gross_q3",
    "gross_q4",
    "commission",
    "tax",
    "net",
)
_REPORTED = {True: "yes", False: "no", None: "check"}


def tax_report_csv(totals: Iterable[YearOfCreator], year: int) -> str:
    """Comma-separated (RFC 4180), one line for each creator and currency."""
    written = io.StringIO()
    rows = csv.writer(written)
    rows.writerow(_COLUMNS)
    for total in totals:
        verdict = verdict_on(total, year)
        rows.writerow(
            [
                year,
                total.creator_id,
                total.handle,
                total.country or "",
                verdict.regime.value,
                _REPORTED[verdict.is_reported],
                total.currency,
                total.sales,
                *_amounts(total, [total.gross_minor, *total.gross_by_quarter]),
                *_amounts(total, [total.commission_minor, total.tax_minor, total.net_minor]),
            ]
        )
    return written.getvalue()


def _amounts(total: YearOfCreator, amounts: Sequence[int]) -> list[str]:
    return [decimal(amount, total.currency) for amount in amounts]
