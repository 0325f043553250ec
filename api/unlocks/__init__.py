"""Buying single items."""
