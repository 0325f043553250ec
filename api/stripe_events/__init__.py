"""What Stripe sends by itself."""
