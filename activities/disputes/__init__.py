"""What happens to disputes at Stripe, and in the ledger."""

from activities.disputes.following import DisputeActivities

__all__ = ["DisputeActivities"]
