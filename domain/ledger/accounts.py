"""The ledger's accounts, and what a journal is before it is written.

Credit is positive and debit negative. What we owe (a creator's earnings, taxes) and what we
earn stand on the credit side; what others owe us and what we spend on the debit side. So the
money that Stripe holds for us is a debit: `stripe_clearing` is minus that amount.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class OwnerType(StrEnum):
    PLATFORM = "platform"
    CREATOR = "creator"


class AccountKind(StrEnum):
    PENDING = "pending"
    """Earned, and waiting for the end of its hold."""
    AVAILABLE = "available"
    """Can be paid out."""
    RESERVE = "reserve"
    """Kept back from a creator for what may still be disputed."""
    DISPUTE_HOLD = "dispute_hold"
    """The creator's share of what is disputed now."""
    PAYOUT_IN_FLIGHT = "payout_in_flight"
    """Reserved for payouts that are neither settled nor returned."""
    DEBT = "debt"
    """What a creator owes us. Later earnings pay it first."""

    STRIPE_CLEARING = "stripe_clearing"
    """Minus what Stripe holds for us."""
    PAYOUT_CLEARING = "payout_clearing"
    """Minus what was transferred for payouts that are not settled."""
    STRIPE_FEES = "stripe_fees"
    DISPUTE_RECEIVABLE = "dispute_receivable"
    """Minus what Stripe took for disputes that are not decided."""
    BAD_DEBT = "bad_debt"
    """Minus what creators owed and will not pay."""
    COMMISSION = "commission"
    """What we earned."""
    TAX_PAYABLE = "tax_payable"
    """Collected for tax offices."""
    ROUNDING = "rounding"

    @property
    def owner_type(self) -> OwnerType:
        return OwnerType.CREATOR if self in CREATOR_KINDS else OwnerType.PLATFORM

    @property
    def allow_negative(self) -> bool:
        return self not in CREATOR_KINDS or self is AccountKind.DEBT

    @property
    def allow_positive(self) -> bool:
        return self not in DEBITS_ONLY


CREATOR_KINDS = frozenset(
    {
        AccountKind.PENDING,
        AccountKind.AVAILABLE,
        AccountKind.RESERVE,
        AccountKind.DISPUTE_HOLD,
        AccountKind.PAYOUT_IN_FLIGHT,
        AccountKind.DEBT,
    }
)
DEBITS_ONLY = frozenset(
    {
        AccountKind.DEBT,
        AccountKind.PAYOUT_CLEARING,
        AccountKind.DISPUTE_RECEIVABLE,
        AccountKind.BAD_DEBT,
    }
)
"""Never above zero. The platform's other accounts may be on either side: a month may have more
refunds than sales, and Stripe's balance may be below zero."""


class JournalKind(StrEnum):
    SALE = "sale"
    FEE = "fee"
    REFUND = "refund"
    REFUND_FAILED = "refund_failed"
    DISPUTE_OPENED = "dispute_opened"
    DISPUTE_WON = "dispute_won"
    DISPUTE_LOST = "dispute_lost"
    RELEASE = "release"
    DEBT_PAID = "debt_paid"
    """A creator's debt, paid out of what has become available."""
    PAYOUT_RESERVED = "payout_reserved"
    PAYOUT_FUNDED = "payout_funded"
    TRANSFER_REVERSED = "transfer_reversed"
    PAYOUT_SETTLED = "payout_settled"
    PAYOUT_RETURNED = "payout_returned"
    WRITE_OFF = "write_off"


class LotPart(StrEnum):
    """What can be done to a lot. Of each part the lot's row holds the sum of its movements."""

    REFUNDED = "refunded"
    """Taken for a refund, a lost dispute or its fee, of this charge or of another one."""
    RESERVED = "reserved"
    PAID_OUT = "paid_out"
    HELD = "held"
    """For a dispute of this charge or of another one."""
    DEBT_PAID = "debt_paid"
    RETURNED_TAX = "returned_tax"
    """Of this charge's tax: what went back to the fan, or is disputed."""
    RETURNED_COMMISSION = "returned_commission"
    RETURNED_SHARE = "returned_share"


@dataclass(frozen=True, slots=True)
class Movement:
    """What a journal does to a lot: adds `amount_minor` to a part of it, or takes it away."""

    lot_id: str
    part: LotPart
    amount_minor: int


@dataclass(frozen=True, slots=True)
class JournalDraft:
    """A journal that balances, not yet written: of one currency, and of one creator at most.

    `entries` holds one amount in minor units for each account, none of them zero.

    Raises:
        ValueError: it does not balance, has fewer than two entries, or names accounts or lots
            of a creator without saying whose. A rule that makes such a draft is wrong.
    """

    event_key: str
    """Of the event that it tells. One event is posted once."""
    kind: JournalKind
    currency: str
    entries: Mapping[AccountKind, int]
    creator_id: str | None = None
    charge_id: str | None = None
    stripe_ref: str | None = None
    """The source of Stripe's balance transactions that it mirrors."""
    reverses: str | None = None
    """The event key of the journal that it takes back."""
    movements: tuple[Movement, ...] = ()

    def __post_init__(self) -> None:
        if len(self.entries) < 2 or 0 in self.entries.values():
            raise ValueError(f"{self.event_key}: two entries or more, none zero: {self.entries}")
        if sum(self.entries.values()) != 0:
            raise ValueError(f"{self.event_key} does not balance: {self.entries}")
        if self.creator_id is None and (self.movements or CREATOR_KINDS & self.entries.keys()):
            raise ValueError(f"{self.event_key} is of a creator, and does not say of whom")


def entries_of(*postings: tuple[AccountKind, int]) -> dict[AccountKind, int]:
    """One amount for each account, in the order of the postings; what comes to zero is left
    out."""
    sums: dict[AccountKind, int] = {}
    for kind, amount_minor in postings:
        sums[kind] = sums.get(kind, 0) + amount_minor
    return {kind: amount for kind, amount in sums.items() if amount != 0}
