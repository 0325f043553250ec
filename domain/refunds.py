"""Refunds: how one goes, how much of a charge can still go back, and who may ask for it.

    requested ─┬─► refused
               ├─► pending ─┬─► succeeded ─► failed
               │            └─► failed
               └─► succeeded, failed

`failed` follows `succeeded` too: a bank may send money back weeks after Stripe has said that it
arrived (https://docs.stripe.com/refunds#failed-refunds). Refused is what Stripe never began.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.errors import AccessDenied, Conflict, Invalid

NOTE_CHARS_MAX = 500
WATCHED = timedelta(days=30)
"""For so long after it succeeded a refund is looked after: a bank that refuses one does it
within this time (https://docs.stripe.com/refunds#failed-refunds)."""
CREATORS_MAY_REFUND = timedelta(days=180)
"""Creators give back sales of this age at most. Older ones go to staff: cards expire, and a
refund to one that has is often sent back."""


class RefundState(StrEnum):
    REQUESTED = "requested"
    """Written down; what Stripe makes of it is not known yet."""
    PENDING = "pending"
    """Stripe has taken it from our balance; the bank has not got it yet."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """The bank sent it back, or it was cancelled: Stripe has the money again, and so have we."""
    REFUSED = "refused"
    """Stripe never began it; nothing was taken."""

    @property
    def is_final(self) -> bool:
        return not NEXT[self]

    @property
    def is_posted(self) -> bool:
        """Whether the ledger says that the money has gone."""
        return self in (RefundState.PENDING, RefundState.SUCCEEDED)


CLAIMED = frozenset({RefundState.REQUESTED, RefundState.PENDING, RefundState.SUCCEEDED})
"""Those whose amount can't be refunded a second time."""

NEXT: Mapping[RefundState, frozenset[RefundState]] = {
    RefundState.REQUESTED: frozenset(
        {RefundState.PENDING, RefundState.SUCCEEDED, RefundState.FAILED, RefundState.REFUSED}
    ),
    RefundState.PENDING: frozenset({RefundState.SUCCEEDED, RefundState.FAILED}),
    RefundState.SUCCEEDED: frozenset({RefundState.FAILED}),
    RefundState.FAILED: frozenset(),
    RefundState.REFUSED: frozenset(),
}
"""Which state may follow which."""

STATE_OF_REFUND: Mapping[str, RefundState] = {
    "pending": RefundState.PENDING,
    "requires_action": RefundState.PENDING,
    "succeeded": RefundState.SUCCEEDED,
    "failed": RefundState.FAILED,
    "canceled": RefundState.FAILED,
}
"""What a status of Stripe's means here (https://docs.stripe.com/api/refunds/object)."""


class RefundReason(StrEnum):
    REQUESTED_BY_CUSTOMER = "requested_by_customer"
    DUPLICATE = "duplicate"
    FRAUDULENT = "fraudulent"
    NOT_DELIVERED = "not_delivered"
    """What was bought could not be given, or was taken away."""
    GOODWILL = "goodwill"
    MADE_AT_STRIPE = "made_at_stripe"
    """Somebody made it in Stripe's dashboard, and we have heard of it."""

    @property
    def for_stripe(self) -> str:
        """One of the three that Stripe knows. `fraudulent` also puts the card on its block
        list."""
        known = (RefundReason.DUPLICATE, RefundReason.FRAUDULENT)
        return self.value if self in known else RefundReason.REQUESTED_BY_CUSTOMER.value


class Requester(StrEnum):
    """In which role somebody asked for a refund."""

    STAFF = "staff"
    CREATOR = "creator"
    SYSTEM = "system"
    """The platform itself: what was paid for could not be given."""
    STRIPE = "stripe"


def after_news(state: RefundState, stripe_status: str) -> RefundState:
    """The state of a refund of which Stripe says this now; forward only.

    News that came late leave it as it is.

    Raises:
        Invalid: `refund_status_unknown`.
    """
    said = STATE_OF_REFUND.get(stripe_status)
    if said is None:
        raise Invalid(
            "Stripe says of a refund what is not known here.",
            code="refund_status_unknown",
            status=stripe_status,
        )
    return said if said in NEXT[state] else state


@dataclass(frozen=True, slots=True)
class Refundable:
    """A paid charge, as far as refunds go. Amounts in minor units."""

    charge_id: str
    amount_minor: int
    paid_at: datetime
    is_disputed: bool
    """A chargeback stands or was lost: the money went that way."""
    claimed_minor: tuple[int, ...] = ()
    """Of each refund that is not failed or refused."""

    @property
    def refundable_minor(self) -> int:
        return 0 if self.is_disputed else max(0, self.amount_minor - sum(self.claimed_minor))


def amount_to_refund(charge: Refundable, wanted_minor: int | None) -> int:
    """How much goes back: what is asked for, or (None) all that is left.

    Raises:
        Invalid: `refund_of_nothing`; the amount is not above zero.
        Conflict: `charge_disputed`; or `refund_exceeds_charge`, with what is left.
    """
    if charge.is_disputed:
        raise Conflict(
            "The fan disputed this payment at their bank; it can't be refunded as well.",
            code="charge_disputed",
            charge_id=charge.charge_id,
        )
    if wanted_minor is not None and wanted_minor <= 0:
        raise Invalid(
            "A refund is of more than nothing.", code="refund_of_nothing", amount_minor=wanted_minor
        )
    left = charge.refundable_minor
    amount = left if wanted_minor is None else wanted_minor
    if amount == 0 or amount > left:
        raise Conflict(
            "More would go back than was paid.",
            code="refund_exceeds_charge",
            wanted_minor=charge.amount_minor if wanted_minor is None else wanted_minor,
            refundable_minor=left,
        )
    return amount


def check_creator_may_refund(paid_at: datetime, now: datetime) -> None:
    """Is a sale young enough for its creator to give it back by themselves?

    Raises:
        AccessDenied: `sale_too_old`, with the age in days up to which they may.
    """
    if now - paid_at > CREATORS_MAY_REFUND:
        raise AccessDenied(
            "This sale is too old to be refunded without our staff.",
            code="sale_too_old",
            days_max=CREATORS_MAY_REFUND.days,
        )
