"""Paid charges that something is still to be done about."""

from __future__ import annotations

from sqlalchemy import ColumnElement

from infra.models import Charge


def unfinished() -> tuple[ColumnElement[bool], ...]:
    """Their fee was not booked yet, or their tax is not reported: `ix_charges_unfinished`."""
    unreported = Charge.tax_calculation_id.is_not(None) & Charge.tax_transaction_id.is_(None)
    return Charge.state == "paid", Charge.fee_recorded_at.is_(None) | unreported
