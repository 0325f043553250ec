"""What is wrong with keys and passkey origins that were configured; one sentence a fault."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from pydantic import SecretStr


def key_fault(secret: SecretStr) -> str | None:
    """Why this is no base64 of 32 bytes; None: it is."""
    try:
        raw = base64.b64decode(secret.get_secret_value(), validate=True)
    except (binascii.Error, ValueError):
        return "is not base64"
    return None if len(raw) == 32 else f"decodes to {len(raw)} bytes, 32 are needed"


def ring_faults(ring: Mapping[str, SecretStr]) -> list[str]:
    """Of each key of a ring that is none."""
    return [
        f"key {key_id!r} {fault}"
        for key_id, secret in ring.items()
        if (fault := key_fault(secret)) is not None
    ]


def passkey_faults(rp_id: str, origins: Sequence[str]) -> list[str]:
    """Browsers let a page use passkeys of its own domain and of those above it. What has
    another scheme is an app, whose system holds it to its domain."""
    pages = [urlsplit(origin) for origin in origins if origin.startswith(("http:", "https:"))]
    return [
        f"webauthn_rp_id: passkeys of {rp_id!r} can't be used at {page.geturl()}"
        for page in pages
        if page.path or not f".{page.hostname}".endswith(f".{rp_id}")
    ]
