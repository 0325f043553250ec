"""Payouts over the API."""
