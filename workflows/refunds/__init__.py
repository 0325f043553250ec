"""Refunds: making one, waiting for the bank, and what happens when it is sent back."""
