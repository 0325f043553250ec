"""Disputes: writing down what Stripe says of one, what is answered, and with which evidence.

Nothing outside of here writes a row of `disputes`. Every function runs inside the caller's
transaction.
"""

from infra.queries.disputes.deciding import decide
from infra.queries.disputes.evidence import keep_evidence
from infra.queries.disputes.following import (
    apply_dispute,
    dispute_by_stripe_id,
    disputed_charge_id,
    is_being_taken,
)

__all__ = [
    "apply_dispute",
    "decide",
    "dispute_by_stripe_id",
    "disputed_charge_id",
    "is_being_taken",
    "keep_evidence",
]
