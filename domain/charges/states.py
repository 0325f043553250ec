"""A charge is one try to take money for one thing; these are its states and kinds.

    open ─┬─► paid
          ├─► declined
          ├─► requires_action ─┬─► paid · declined · processing
          │                    └─► canceled
          └─► processing ──────► paid · declined · requires_action · canceled

Final states have no way out. That one charge was refunded or disputed is written beside its
state: it was paid, and that stays true.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

ACTION_TTL = timedelta(hours=23)
"""How long a fan has to confirm with their bank. Less than the day for which Stripe keeps the
key of the call, so that a charge is given up while its outcome can still be asked for."""


class ChargeKind(StrEnum):
    """What is paid for; names the slice whose row `subject_id` is."""

    SUBSCRIPTION = "subscription"
    UNLOCK = "unlock"
    TIP = "tip"
    GIFT = "gift"


class ChargeState(StrEnum):
    OPEN = "open"
    """Begun; what Stripe made of it is not known yet."""
    REQUIRES_ACTION = "requires_action"
    """The fan has to confirm it with their bank (3-D Secure)."""
    PROCESSING = "processing"
    """With the bank; it may take days."""
    PAID = "paid"
    DECLINED = "declined"
    CANCELED = "canceled"
    """Given up before it was paid; nothing was taken."""

    @property
    def is_final(self) -> bool:
        return self in _FINAL


class DeclineKind(StrEnum):
    SOFT = "soft"
    """Another try later may go through."""
    HARD = "hard"
    """This card will not pay; another one may."""
    NEEDS_FAN = "needs_fan"
    """The bank wants its holder to confirm: ask for it while they are there."""


_FINAL = frozenset({ChargeState.PAID, ChargeState.DECLINED, ChargeState.CANCELED})
_NEXT: dict[ChargeState, frozenset[ChargeState]] = {
    ChargeState.OPEN: frozenset(ChargeState) - {ChargeState.OPEN},
    ChargeState.REQUIRES_ACTION: _FINAL | {ChargeState.PROCESSING},
    ChargeState.PROCESSING: _FINAL | {ChargeState.REQUIRES_ACTION},
    ChargeState.PAID: frozenset(),
    ChargeState.DECLINED: frozenset(),
    ChargeState.CANCELED: frozenset(),
}

STATE_OF_INTENT: dict[str, ChargeState] = {
    "requires_payment_method": ChargeState.DECLINED,
    "requires_confirmation": ChargeState.OPEN,
    "requires_action": ChargeState.REQUIRES_ACTION,
    "processing": ChargeState.PROCESSING,
    "requires_capture": ChargeState.PROCESSING,
    "succeeded": ChargeState.PAID,
    "canceled": ChargeState.CANCELED,
}
"""What a status of Stripe's PaymentIntent means for a charge that is confirmed on creation
(docs.stripe.com/payments/paymentintents/lifecycle)."""


def may_become(old: ChargeState, new: ChargeState) -> bool:
    """Whether a charge goes that way. News that came late asks for ways that are not there."""
    return new in _NEXT[old]
