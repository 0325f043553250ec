"""Charges: beginning them, writing down what Stripe says of them, reading them.

Nothing outside of here writes a row of `charges`. Every function runs inside the caller's
transaction.
"""

from infra.queries.charges.recording import (
    apply_intent,
    begin_charge,
    charge_of,
    decline_unsent,
    keep_tax,
    keep_tax_report,
    record_missing_fee,
)

__all__ = [
    "apply_intent",
    "begin_charge",
    "charge_of",
    "decline_unsent",
    "keep_tax",
    "keep_tax_report",
    "record_missing_fee",
]
