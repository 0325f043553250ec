"""Sending tips."""
