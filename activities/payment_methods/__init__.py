"""Setting cards up, and removing them."""

from activities.payment_methods.cards import CardActivities

__all__ = ["CardActivities"]
