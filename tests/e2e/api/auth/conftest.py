"""Fixtures of signing in."""

from __future__ import annotations

from tests.e2e.api.auth.accounts import accounts
from tests.e2e.api.auth.owners import owners

__all__ = ["accounts", "owners"]
