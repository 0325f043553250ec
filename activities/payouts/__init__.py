"""What runs of payouts and of accounts ask for."""

from __future__ import annotations

from activities.payouts.batches import BatchActivities
from activities.payouts.connect import ConnectActivities
from activities.payouts.returning import ReturnActivities
from activities.payouts.sending import SendingActivities

__all__ = ["BatchActivities", "ConnectActivities", "ReturnActivities", "SendingActivities"]
