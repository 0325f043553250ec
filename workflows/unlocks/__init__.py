"""Selling single items."""
