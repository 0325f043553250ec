"""The inbox of Stripe's events."""
