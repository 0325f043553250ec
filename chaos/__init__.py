"""Faults on purpose: kills and outages while work is under way, and what became of the work."""
