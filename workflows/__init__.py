"""Deterministic orchestration: what happens, in which order, and what if not."""
