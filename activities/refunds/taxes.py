"""Taxes of what went back."""

from __future__ import annotations

from datetime import datetime

from infra.models import Charge
from infra.stripe.gateway import StripeGateway


def reverse_tax(
    gateway: StripeGateway,
    charge: Charge,
    amount_minor: int,
    *,
    key: str,
    op_id: str,
    workflow_id: str,
    at: datetime,
) -> str | None:
    """Have Stripe Tax report that so much of a payment, with its tax in it, went back; the id of
    its report. None where the tax of the payment itself was not reported, or there was none.

    Raises:
        Unavailable: no answer came; the same call may be made again.
    """
    if charge.tax_transaction_id is None:
        return None
    return gateway.reverse_tax_transaction(
        charge.tax_transaction_id,
        reference=op_id,
        amount_minor=None if amount_minor == charge.amount_minor else amount_minor,
        key=key,
        op_id=op_id,
        workflow_id=workflow_id,
        at=at,
    ).id
