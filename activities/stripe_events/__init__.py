"""What happens to Stripe's events by itself."""

from __future__ import annotations

from activities.stripe_events.sweeping import EventActivities

__all__ = ["EventActivities"]
