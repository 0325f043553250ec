"""What Stripe answers, as far as the platform looks at it.

Amounts are whole minor units, currencies upper-case ISO 4217, times aware and in UTC. A status
is the text that Stripe sends: it may learn new ones, and whoever decides by it says what an
unknown one means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from domain.charges.declines import decline_kind_of
from domain.charges.states import DeclineKind


@dataclass(frozen=True, slots=True)
class Customer:
    id: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """What a fan may see of a card. The fields of a card are None for any other `type`."""

    id: str
    type: str
    customer: str | None
    """None: it was detached, or never belonged to anybody."""
    brand: str | None = None
    last4: str | None = None
    exp_month: int | None = None
    exp_year: int | None = None
    fingerprint: str | None = None
    """The same for the same card number, whoever adds it."""
    country: str | None = None
    """Of the bank that issued it: ISO 3166-1 alpha-2."""


@dataclass(frozen=True, slots=True)
class Decline:
    """Why a payment, or a card, was refused."""

    code: str
    """Stripe's error code, such as `card_declined`."""
    decline_code: str | None
    """The bank's reason, such as `insufficient_funds`; only with `card_declined`."""
    message: str
    """Stripe's sentence, in English, fit to be shown to the card's holder."""

    @property
    def reason(self) -> str:
        """The more exact of both codes."""
        return self.decline_code or self.code

    @property
    def kind(self) -> DeclineKind:
        return decline_kind_of(self.code, self.decline_code)

    @property
    def is_hard(self) -> bool:
        """This card will not pay, however often it is asked."""
        return self.kind is DeclineKind.HARD


@dataclass(frozen=True, slots=True)
class SetupIntent:
    """An order to keep a card for later; `client_secret` lets the fan's browser fulfil it."""

    id: str
    status: str
    client_secret: str | None
    customer: str | None
    payment_method: str | None
    """Known once the fan has entered one."""
    decline: Decline | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SetupAttempt:
    """One card that was tried in a SetupIntent."""

    id: str
    status: str
    created_at: datetime
    decline: Decline | None = None


@dataclass(frozen=True, slots=True)
class BalanceTransaction:
    """A line of Stripe's own books; `net_minor` is what it adds to a balance (may be negative)."""

    id: str
    type: str
    source: str | None
    """The charge, refund, dispute, transfer, payout … that it is of."""
    amount_minor: int
    fee_minor: int
    net_minor: int
    currency: str
    created_at: datetime
    available_on: datetime
    reporting_category: str = ""


@dataclass(frozen=True, slots=True)
class Charge:
    id: str
    status: str
    amount_minor: int
    refunded_minor: int
    currency: str
    is_disputed: bool
    created_at: datetime
    payment_intent: str | None
    payment_method: str | None
    payment_method_fingerprint: str | None
    balance_transaction_id: str | None
    balance_transaction: BalanceTransaction | None
    """None also where Stripe has not booked the charge yet."""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PaymentIntent:
    """One order to take money. A decline is no error: `status` is then
    `requires_payment_method`, and `decline` says why."""

    id: str
    status: str
    amount_minor: int
    currency: str
    customer: str | None
    payment_method: str | None
    client_secret: str | None
    created_at: datetime
    decline: Decline | None
    latest_charge_id: str | None
    latest_charge: Charge | None
    """There once it has succeeded. Of one that has not, Stripe may leave it to
    `latest_charge_id`."""
    next_action_url: str | None
    """Where a browser sends the fan that has to confirm; None where Stripe's script does it."""
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def op_id(self) -> str | None:
        return self.metadata.get("op_id")


@dataclass(frozen=True, slots=True)
class Refund:
    id: str
    status: str
    """pending, requires_action, succeeded, failed or canceled."""
    amount_minor: int
    currency: str
    charge: str | None
    payment_intent: str | None
    created_at: datetime
    failure_reason: str | None
    balance_transaction_id: str | None
    balance_transaction: BalanceTransaction | None
    failure_balance_transaction_id: str | None
    """Of the money that came back, after a refund that could not be delivered."""
    failure_balance_transaction: BalanceTransaction | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def op_id(self) -> str | None:
        return self.metadata.get("op_id")


@dataclass(frozen=True, slots=True)
class Dispute:
    id: str
    charge: str
    payment_intent: str | None
    amount_minor: int
    currency: str
    status: str
    reason: str
    created_at: datetime
    evidence_due_by: datetime | None
    """None once it is too late, and for what can't be answered."""
    has_evidence: bool
    submission_count: int
    is_charge_refundable: bool
    balance_transactions: tuple[BalanceTransaction, ...]
    """None for an inquiry; one once money was taken; two once it was given back."""
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_inquiry(self) -> bool:
        """The bank asks; nothing was taken (docs.stripe.com/disputes/how-disputes-work)."""
        return self.status.startswith("warning_")


@dataclass(frozen=True, slots=True)
class Account:
    """A creator's connected account."""

    id: str
    charges_enabled: bool
    payouts_enabled: bool
    transfers_active: bool
    """Whether it may be given money (capability `transfers`)."""
    details_submitted: bool
    requirements_due: tuple[str, ...]
    """What it still has to say, now or past its date; Stripe's names of the fields."""
    disabled_reason: str | None
    country: str | None
    default_currency: str | None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AccountLink:
    """A page of Stripe where a creator says who they are; opens once, and runs out in minutes."""

    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Transfer:
    """Money from the platform's balance to a connected account's."""

    id: str
    amount_minor: int
    reversed_minor: int
    currency: str
    destination: str | None
    transfer_group: str | None
    created_at: datetime
    balance_transaction_id: str | None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def op_id(self) -> str | None:
        return self.metadata.get("op_id")


@dataclass(frozen=True, slots=True)
class Reversal:
    """Money of a transfer taken back to the platform's balance."""

    id: str
    transfer: str
    amount_minor: int
    currency: str
    created_at: datetime
    balance_transaction_id: str | None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def op_id(self) -> str | None:
        return self.metadata.get("op_id")


@dataclass(frozen=True, slots=True)
class Payout:
    """Money from a connected account's balance to its bank."""

    id: str
    status: str
    """pending, in_transit, paid, failed or canceled. A failed one may first have been `paid`."""
    amount_minor: int
    currency: str
    created_at: datetime
    arrival_at: datetime
    """When it is, or was, expected at the bank."""
    failure_code: str | None
    failure_message: str | None
    balance_transaction_id: str | None
    failure_balance_transaction_id: str | None
    is_automatic: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def op_id(self) -> str | None:
        return self.metadata.get("op_id")


@dataclass(frozen=True, slots=True)
class Balance:
    """What Stripe holds, by currency; an amount may be negative."""

    available_minor: Mapping[str, int]
    pending_minor: Mapping[str, int]

    def total_minor(self, currency: str) -> int:
        return self.available_minor.get(currency, 0) + self.pending_minor.get(currency, 0)


@dataclass(frozen=True, slots=True)
class Event:
    """That something has changed: a hint to look at `object_id`, never the news itself."""

    id: str
    type: str
    object_id: str
    object_type: str
    account: str | None
    """The connected account it happened on; None: the platform's own."""
    created_at: datetime
    op_id: str | None = None
    op_kind: str | None = None
    workflow_id: str | None = None
    """What `metadata` of the object says of who made it."""
    payment_intent: str | None = None
    charge: str | None = None
    changed_fields: tuple[str, ...] = ()
    """Names of what had another value before, where Stripe says so."""


@dataclass(frozen=True, slots=True)
class TaxLine:
    """One thing that is sold. `tax_code`: Stripe's, such as `txcd_10000000`."""

    reference: str
    amount_minor: int
    tax_code: str | None = None


@dataclass(frozen=True, slots=True)
class TaxCalculation:
    """`amount_total_minor` includes `tax_minor`."""

    id: str | None
    amount_total_minor: int
    tax_minor: int
    currency: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class TaxTransaction:
    id: str
    reference: str
    is_reversal: bool
