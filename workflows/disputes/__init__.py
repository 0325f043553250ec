"""Disputes: following one to its end, and answering it."""
