"""Fixtures of signing in."""

from __future__ import annotations

from tests.e2e.api.auth.accounts import accounts

__all__ = ["accounts"]
