"""What happens to refunds at Stripe, and in the ledger."""

from activities.refunds.making import RefundActivities

__all__ = ["RefundActivities"]
