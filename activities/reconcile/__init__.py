"""Holding the ledger against Stripe's books."""

from activities.reconcile.comparing import ReconcileActivities

__all__ = ["ReconcileActivities"]
