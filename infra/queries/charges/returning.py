"""What of a paid charge went back, and whether it is disputed. The charge is locked."""

from __future__ import annotations

from datetime import datetime

from infra.models import Charge


def note_refunded(charge: Charge, amount_minor: int) -> None:
    """Add to what was refunded; below zero where a refund was sent back."""
    charge.refunded_minor += amount_minor


def note_disputed(charge: Charge, at: datetime | None) -> None:
    """A chargeback stands, or was lost (`at`); or it was won (None)."""
    if at is None or charge.disputed_at is None:
        charge.disputed_at = at
