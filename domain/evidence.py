"""Evidence for a dispute: who the fan is, what they bought, and when they opened it.

Names of the fields are Stripe's (https://docs.stripe.com/api/disputes/evidence_object). One text
is at most 20,000 characters long, and all together 150,000.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.charges.states import ChargeKind
from domain.money import Money

TEXT_CHARS_MAX = 20_000
ACCESSES_MAX = 110
"""Lines of the access log; each is at most 170 characters long."""

_SOLD: Mapping[ChargeKind, str] = {
    ChargeKind.SUBSCRIPTION: "One period of a subscription to the posts of a creator",
    ChargeKind.UNLOCK: "Access to one post of a creator, with its pictures, video and sound",
    ChargeKind.TIP: "A tip for a creator, sent by the cardholder of their own accord",
    ChargeKind.GIFT: "A subscription to the posts of a creator, as a gift for somebody else",
}


@dataclass(frozen=True, slots=True)
class Access:
    """The fan opened something of what they had paid for."""

    at: datetime
    what: str
    """`post` or `media`, and its id."""
    address: str | None
    agent: str


@dataclass(frozen=True, slots=True)
class EvidenceFacts:
    """What is known of a disputed charge and of who paid it."""

    charge_id: str
    kind: ChargeKind
    amount: Money
    paid_at: datetime
    fan_handle: str
    fan_name: str
    fan_email: str | None
    fan_since: datetime
    creator_handle: str
    refunded: Money
    undisputed_before: int
    """Payments of the same fan that were never disputed."""
    accesses: Sequence[Access] = ()
    """The latest first."""


def evidence_for(facts: EvidenceFacts) -> dict[str, str]:
    """The evidence as it is submitted. Holds nothing for which there is no fact.

    The same facts give the same text: it is what the key of the call to Stripe stands for.
    """
    evidence = {
        "customer_name": facts.fan_name,
        "product_description": f"{_SOLD[facts.kind]} ({facts.creator_handle}). Digital content, "
        "available at once after the payment.",
        "service_date": f"{facts.paid_at:%Y-%m-%d}",
        "uncategorized_text": _statement(facts)[:TEXT_CHARS_MAX],
    }
    if facts.fan_email is not None:
        evidence["customer_email_address"] = facts.fan_email
    addresses = [each.address for each in facts.accesses if each.address is not None]
    if addresses:
        # The oldest that is known: nearest to the purchase.
        evidence["customer_purchase_ip"] = addresses[-1]
    if facts.accesses:
        evidence["access_activity_log"] = _access_log(facts.accesses)[:TEXT_CHARS_MAX]
    return evidence


def _statement(facts: EvidenceFacts) -> str:
    lines = [
        f"Payment {facts.charge_id} of {facts.amount.formatted}, "
        f"on {facts.paid_at:%Y-%m-%d %H:%M} UTC.",
        f"Account: {facts.fan_handle}, opened on {facts.fan_since:%Y-%m-%d}.",
    ]
    if facts.undisputed_before:
        lines.append(
            f"The same account made {facts.undisputed_before} other payments, none disputed."
        )
    if facts.refunded:
        lines.append(f"Of this payment {facts.refunded.formatted} was refunded before.")
    if facts.accesses:
        first, last = facts.accesses[-1], facts.accesses[0]
        lines.append(
            f"The account opened what it had paid for at least {len(facts.accesses)} times, from "
            f"{first.at:%Y-%m-%d %H:%M} to {last.at:%Y-%m-%d %H:%M} UTC; see the access log."
        )
    return "\n".join(lines)


def _access_log(accesses: Sequence[Access]) -> str:
    lines = ["Time (UTC); what was opened; address; browser"]
    for each in accesses[:ACCESSES_MAX]:
        at, address = f"{each.at:%Y-%m-%d %H:%M:%S}", each.address or "unknown"
        lines.append(f"{at}; {each.what}; {address}; {each.agent[:60]}")
    return "\n".join(lines)
