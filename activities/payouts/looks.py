"""What a run is told of a payout's row."""

from __future__ import annotations

from domain.payouts.states import PROVISIONAL, PayoutState
from infra.models import Payout
from workflows.payouts.messages import PayoutLook

REFUSED = "payment_request_refused"
"""Code of what Stripe refuses for certain: nothing was made, and nothing moved. Any other
failure leaves it open whether something did."""


def look_of(payout: Payout) -> PayoutLook:
    state = PayoutState(payout.state)
    is_provisional = state is PayoutState.PAID and payout.paid_at is not None
    return PayoutLook(
        state,
        payout.reason,
        payout.paid_at + PROVISIONAL if is_provisional and payout.paid_at else None,
    )
