"""What runs of payouts and of accounts ask for."""

from __future__ import annotations

from activities.payouts.batches import BatchActivities

__all__ = ["BatchActivities"]
