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


class OwnMovement(StrEnum):
    """What moves between Stripe and the platform itself, or its bank. It concerns no fan and no
    creator, is not in the ledger, and is listed with each comparison."""

    WITHDRAWAL = "platform_withdrawal"
    """Payouts of the platform's own balance to its bank, less those that came back."""
    TOP_UP = "platform_top_up"
    RESERVE = "reserve"
    """What Stripe keeps back, and lets go again."""
    STRIPE_FEE = "stripe_fee"
    """What Stripe bills the platform for, apart from its fee of each payment."""
    CONTRIBUTION = "contribution"


_TYPES: dict[OwnMovement, str] = {
    OwnMovement.WITHDRAWAL: "payout payout_cancel payout_failure",
    OwnMovement.TOP_UP: "topup topup_reversal inbound_transfer inbound_transfer_reversal",
    OwnMovement.RESERVE: "reserve_hold reserve_release reserve_transaction reserved_funds "
    "payment_network_reserve_hold payment_network_reserve_release "
    "payout_minimum_balance_hold payout_minimum_balance_release",
    OwnMovement.STRIPE_FEE: "stripe_fee stripe_fx_fee tax_fee network_cost fee_credit_funding",
    OwnMovement.CONTRIBUTION: "contribution",
}
OWN_MOVEMENTS: dict[str, OwnMovement] = {
    name: movement for movement, names in _TYPES.items() for name in names.split()
}
"""By type of Stripe's balance transaction (https://docs.stripe.com/reports/balance-transaction-types).
Fees of disputes are not among them: they are of the dispute, and have to be in the ledger. Any
type that is not known here is compared."""


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


@dataclass(frozen=True, slots=True)
class OwnSum:
    """What all movements of one kind brought to Stripe's balance; a withdrawal is below zero."""

    kind: OwnMovement
    currency: str
    net_minor: int


def sums_by_source(lines: Iterable[Booked]) -> dict[tuple[str, str], int]:
    """What each source brought, by (source, currency); the platform's own movements left out.
    A line without a source stands for itself."""
    sums: dict[tuple[str, str], int] = {}
    for line in lines:
        if line.type in OWN_MOVEMENTS:
            continue
        key = (line.source or line.id, line.currency)
        sums[key] = sums.get(key, 0) + line.net_minor
    return sums


def own_movements(lines: Iterable[Booked]) -> list[OwnSum]:
    """What moved between Stripe and the platform alone, by kind and currency, in order."""
    sums: dict[tuple[OwnMovement, str], int] = {}
    for line in lines:
        kind = OWN_MOVEMENTS.get(line.type)
        if kind is not None:
            sums[kind, line.currency] = sums.get((kind, line.currency), 0) + line.net_minor
    return [OwnSum(kind, currency, net) for (kind, currency), net in sorted(sums.items())]


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


def listing(own: Sequence[OwnSum]) -> str:
    """The platform's own movements, a line each; empty where there are none."""
    return "".join(f"{each.kind}: {_amount(each.net_minor, each.currency)}\n" for each in own)


def _amount(amount_minor: int | None, currency: str | None) -> str:
    if amount_minor is None or currency is None:
        return "–"
    if currency not in EXPONENTS:
        return f"{amount_minor} {currency}"
    return Money(amount_minor, currency).formatted
