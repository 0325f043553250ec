"""How a payout goes, from the wish to money on a bank account.

    requested → [review →] reserved → transferring → funded
              → submitting → in_transit → paid → settled

Before anything has left the platform it may be `released`: the earnings are available again.
Afterwards it may be `returned`: what went to the creator's account at Stripe was taken back
from there, and the earnings are available again. Where it can't be taken back the payout is
`needs_ops`, and nobody is credited until a person has looked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

PROVISIONAL = timedelta(days=7)
"""A bank may send money back after Stripe has said `paid`; mostly within five business days
(https://docs.stripe.com/payouts#payout-failures)."""


class PayoutState(StrEnum):
    REQUESTED = "requested"
    RESERVED = "reserved"
    """Its earnings are set aside, and nobody has to look at it any more; nothing has left."""
    REVIEW = "review"
    """Its earnings are set aside, and it waits for staff."""
    TRANSFERRING = "transferring"
    """Money may be on its way to the creator's account at Stripe."""
    FUNDED = "funded"
    """It is there."""
    SUBMITTING = "submitting"
    """The bank transfer may have been asked for."""
    IN_TRANSIT = "in_transit"
    PAID = "paid"
    """Says Stripe. Provisional: see `PROVISIONAL`."""
    RETURNING = "returning"
    """It failed; the money is being taken back from the creator's account at Stripe."""
    NEEDS_OPS = "needs_ops"
    """It failed, and Stripe does not give the money back."""
    SETTLED = "settled"
    RETURNED = "returned"
    RELEASED = "released"

    @property
    def is_final(self) -> bool:
        return not NEXT[self]


NEXT: Mapping[PayoutState, frozenset[PayoutState]] = {
    PayoutState.REQUESTED: frozenset(
        {PayoutState.RESERVED, PayoutState.REVIEW, PayoutState.RELEASED}
    ),
    PayoutState.RESERVED: frozenset({PayoutState.TRANSFERRING, PayoutState.RELEASED}),
    PayoutState.REVIEW: frozenset({PayoutState.RESERVED, PayoutState.RELEASED}),
    # Released only where Stripe has refused the transfer for certain.
    PayoutState.TRANSFERRING: frozenset({PayoutState.FUNDED, PayoutState.RELEASED}),
    PayoutState.FUNDED: frozenset({PayoutState.SUBMITTING, PayoutState.RETURNING}),
    PayoutState.SUBMITTING: frozenset({PayoutState.IN_TRANSIT, PayoutState.RETURNING}),
    PayoutState.IN_TRANSIT: frozenset({PayoutState.PAID, PayoutState.RETURNING}),
    PayoutState.PAID: frozenset({PayoutState.SETTLED, PayoutState.RETURNING}),
    PayoutState.RETURNING: frozenset({PayoutState.RETURNED, PayoutState.NEEDS_OPS}),
    PayoutState.NEEDS_OPS: frozenset({PayoutState.RETURNED}),
    PayoutState.SETTLED: frozenset(),
    PayoutState.RETURNED: frozenset(),
    PayoutState.RELEASED: frozenset(),
}
"""Which state may follow which."""

PREPARING = frozenset(
    {
        PayoutState.REQUESTED,
        PayoutState.RESERVED,
        PayoutState.REVIEW,
        PayoutState.TRANSFERRING,
        PayoutState.FUNDED,
        PayoutState.SUBMITTING,
    }
)
"""Of one creator and currency one payout at a time is in one of these, which an index holds. One
that comes back is not among them: it may, whatever was begun since it was sent."""

BUSY = PREPARING | {PayoutState.RETURNING, PayoutState.NEEDS_OPS}
"""While a payout is in one of these, its creator can't have another in the same currency. One
that is under way to the bank is no obstacle, or its seven days would stop the weekly one."""


class PayoutKind(StrEnum):
    WEEKLY = "weekly"
    ON_DEMAND = "on_demand"


class BankState(StrEnum):
    """How a payout stands at Stripe (https://docs.stripe.com/api/payouts/object#payout_object-status)."""

    PENDING = "pending"
    IN_TRANSIT = "in_transit"
    PAID = "paid"
    FAILED = "failed"
    CANCELED = "canceled"


def after_bank(state: PayoutState, bank: BankState) -> PayoutState:
    """The state of a payout of which Stripe says this now; forward only.

    What is over stays as it is, and `paid` does not become `in_transit` again because an older
    answer came later. Failed and cancelled count from `paid` too.
    """
    if state not in (PayoutState.SUBMITTING, PayoutState.IN_TRANSIT, PayoutState.PAID):
        return state
    match bank:
        case BankState.FAILED | BankState.CANCELED:
            return PayoutState.RETURNING
        case BankState.PAID:
            return PayoutState.PAID
        case BankState.PENDING | BankState.IN_TRANSIT:
            return PayoutState.PAID if state is PayoutState.PAID else PayoutState.IN_TRANSIT
