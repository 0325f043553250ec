"""Refunds: asking for one, and writing down what Stripe says of it.

Nothing outside of here writes a row of `refunds`. Every function runs inside the caller's
transaction.
"""

from infra.queries.refunds.making import adopt_refund, apply_refund, refund_of, refuse_refund
from infra.queries.refunds.requesting import NewRefund, request_refund

__all__ = [
    "NewRefund",
    "adopt_refund",
    "apply_refund",
    "refund_of",
    "refuse_refund",
    "request_refund",
]
