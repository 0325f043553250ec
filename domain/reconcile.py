"""Comparing the ledger with Stripe's own books, source by source.

A source is what a balance transaction of Stripe's is of: a charge, a refund, a dispute, a
transfer or its reversal. For each, what the ledger says that Stripe's balance has gained by it
has to equal the sum of Stripe's nets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.money import EXPONENTS, Money

OWN_TYPES = frozenset(
    {
        "contribution",
        "network_cost",
        "payout",
        "payout_cancel",
        "payout_failure",
        "reserve_hold",
        "reserve_release",
        "stripe_fee",
        "stripe_fx_fee",
        "tax_fee",
        "topup",
        "topup_reversal",
    }
)
"""Types of balance transactions between Stripe and the platform itself, or its bank. They concern
no fan and no creator, and are not in the ledger (https://docs.stripe.com/reports/balance-transaction-types)."""


class Rule(StrEnum):
    """What does not hold between the ledger and Stripe. The ledger's own rules have the names
    that `infra/queries/ledger/verifying.py` gives them."""

    NOT_IN_LEDGER = "not_in_ledger"
    """Stripe moved money that the ledger does not know of."""
    NOT_AT_STRIPE = "not_at_stripe"
    """The ledger says so, and Stripe has no such transaction."""
    AMOUNTS_DIFFER = "amounts_differ"


MAY_BE_LATE = frozenset({Rule.NOT_IN_LEDGER, Rule.AMOUNTS_DIFFER})
"""The ledger may still hear of it: after an outage, runs and sweeps catch up by themselves. What
breaks any other rule stays as it is."""


@dataclass(frozen=True, slots=True)
class Break:
    """A rule that does not hold, and of what. Amounts in minor units, where there are any."""

    rule: str
    subject: str
    """A source at Stripe, or what of the ledger breaks its own rules."""
    detail: str = ""
    currency: str | None = None
    stripe_minor: int | None = None
    ledger_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Booked:
    """One line of Stripe's books."""

    id: str
    type: str
    source: str | None
    net_minor: int
    currency: str


def sums_by_source(lines: Iterable[Booked]) -> dict[tuple[str, str], int]:
    """What each source brought, by (source, currency); the platform's own movements left out.
    A line without a source stands for itself."""
    sums: dict[tuple[str, str], int] = {}
    for line in lines:
        if line.type in OWN_TYPES:
            continue
        key = (line.source or line.id, line.currency)
        sums[key] = sums.get(key, 0) + line.net_minor
    return sums


def compare(stripe: dict[tuple[str, str], int], ledger: dict[tuple[str, str], int]) -> list[Break]:
    """Each (source, currency) of either side whose amounts differ, in order.

    What has come to nothing on one side and is not there on the other is no difference.
    """
    found: list[Break] = []
    for source, currency in sorted(stripe.keys() | ledger.keys()):
        key = (source, currency)
        theirs, ours = stripe.get(key), ledger.get(key)
        if (theirs or 0) == (ours or 0):
            continue
        if ours is None:
            rule = Rule.NOT_IN_LEDGER
        elif theirs is None:
            rule = Rule.NOT_AT_STRIPE
        else:
            rule = Rule.AMOUNTS_DIFFER
        found.append(Break(rule, source, currency=currency, stripe_minor=theirs, ledger_minor=ours))
    return found


def report(breaks: Sequence[Break], *, lines_max: int = 40) -> str:
    """The breaks as a table for an operator, in Markdown."""
    if not breaks:
        return "The ledger and Stripe agree."
    rows = [
        "| rule | of | Stripe | ledger | |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {each.rule} | {each.subject} | {_amount(each.stripe_minor, each.currency)} "
            f"| {_amount(each.ledger_minor, each.currency)} | {each.detail} |"
            for each in breaks[:lines_max]
        ),
    ]
    if len(breaks) > lines_max:
        rows.append(f"\n… and {len(breaks) - lines_max} more.")
    return "\n".join(rows)


def _amount(amount_minor: int | None, currency: str | None) -> str:
    if amount_minor is None or currency is None:
        return "–"
    if currency not in EXPONENTS:
        return f"{amount_minor} {currency}"
    return Money(amount_minor, currency).formatted
