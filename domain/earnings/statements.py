"""A creator's statement of one month: what they had, what came and went, what they have."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from domain.money import Money

WORDS: Mapping[str, str] = {
    "sale": "Sale",
    "refund": "Refund",
    "refund_failed": "Refund sent back by the bank",
    "dispute_opened": "Dispute opened: share held",
    "dispute_won": "Dispute won: share released",
    "dispute_lost": "Dispute lost",
    "release": "Became available",
    "debt_paid": "Debt paid",
    "payout_reserved": "Set aside for a payout",
    "payout_settled": "Paid out",
    "payout_returned": "Payout came back",
    "write_off": "Debt written off",
}
"""Of each kind of journal that touches a creator's accounts."""


@dataclass(frozen=True, slots=True)
class Line:
    """One event. Amounts in minor units of the section's currency.

    `gross_minor` is what the fan paid or got back, `tax_minor` and `commission_minor` what of it
    is not the creator's, `change_minor` by how much the creator's whole has changed: zero where
    something only moves, as it does when it becomes available.
    """

    at: datetime
    kind: str
    source: str | None
    charge_id: str | None
    gross_minor: int
    tax_minor: int
    commission_minor: int
    change_minor: int
    balance_minor: int
    """The creator's whole after it: pending, available, held, set aside, less debt."""


@dataclass(frozen=True, slots=True)
class Section:
    """One currency."""

    currency: str
    opening_minor: int
    lines: tuple[Line, ...]

    @property
    def closing_minor(self) -> int:
        return self.lines[-1].balance_minor if self.lines else self.opening_minor

    def sum_of(self, *kinds: str) -> int:
        return sum(line.change_minor for line in self.lines if line.kind in kinds)


@dataclass(frozen=True, slots=True)
class Statement:
    handle: str
    month: str
    """`2026-03`"""
    sections: tuple[Section, ...]


_COLUMNS = (
    "time_utc",
    "event",
    "source",
    "charge_id",
    "currency",
    "gross",
    "tax",
    "commission",
    "change",
    "balance",
)


def statement_csv(statement: Statement) -> str:
    """Comma-separated (RFC 4180), one line an event; amounts as decimals of their currency."""
    written = io.StringIO()
    rows = csv.writer(written)
    rows.writerow(_COLUMNS)
    for section in statement.sections:
        rows.writerow(_border(section, "opening_balance", section.opening_minor))
        for line in section.lines:
            amounts = (
                line.gross_minor,
                line.tax_minor,
                line.commission_minor,
                line.change_minor,
                line.balance_minor,
            )
            rows.writerow(
                [
                    f"{line.at:%Y-%m-%dT%H:%M:%SZ}",
                    line.kind,
                    line.source or "",
                    line.charge_id or "",
                    section.currency,
                    *(decimal(amount, section.currency) for amount in amounts),
                ]
            )
        rows.writerow(_border(section, "closing_balance", section.closing_minor))
    return written.getvalue()


def _border(section: Section, event: str, balance_minor: int) -> list[str]:
    balance = decimal(balance_minor, section.currency)
    return ["", event, "", "", section.currency, "", "", "", "", balance]


def decimal(amount_minor: int, currency: str) -> str:
    """`12.34`, `-500`: without the currency's code, and never a float."""
    return Money(amount_minor, currency).formatted.rpartition(" ")[0]
