"""Keys for one use each, out of one key."""

from __future__ import annotations

import hmac


def derived_key(key: bytes, *, use: str) -> bytes:
    """A key for one use, so that a signature of one kind is never one of another."""
    return hmac.digest(key, f"fansworld:{use}".encode(), "sha256")
