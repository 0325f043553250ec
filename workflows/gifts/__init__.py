"""Gifts: access that one fan buys for another."""
