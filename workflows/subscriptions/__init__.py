"""Subscriptions for as long as they live, and gifts."""
