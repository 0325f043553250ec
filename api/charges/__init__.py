"""Payments: how they stand, and lists of them."""
