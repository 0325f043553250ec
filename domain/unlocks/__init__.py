"""Unlocks: one fan buys one item for good."""
