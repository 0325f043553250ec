"""Secrets of the embedded stack: made once, kept in the run directory, readable by its owner.

Kept, because a second run must read what the first one encrypted.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


_MAKERS: dict[str, Callable[[], str]] = {
    "PAYLOAD_KEYS": lambda: f"dev1={_key()}",
    "MEDIA_MASTER_KEYS": lambda: f"dev1={_key()}",
    "ACCOUNT_MASTER_KEYS": lambda: f"dev1={_key()}",
    "TOKEN_PRIVATE_KEYS": lambda: f"dev1={_key()}",
    "URL_SIGNING_KEY": _key,
    "S3_ACCESS_KEY_ID": lambda: f"dev{secrets.token_hex(8)}",
    "S3_SECRET_ACCESS_KEY": lambda: secrets.token_urlsafe(30),
    "postgres_password": lambda: secrets.token_urlsafe(24),
    "valkey_password": lambda: secrets.token_urlsafe(24),
    "stripe_secret_key": lambda: f"sk_test_{secrets.token_hex(24)}",
    "stripe_webhook_secret": lambda: f"whsec_{secrets.token_hex(16)}",
    "stripe_connect_webhook_secret": lambda: f"whsec_{secrets.token_hex(16)}",
}

SETTINGS_KEYS = (
    "PAYLOAD_KEYS",
    "MEDIA_MASTER_KEYS",
    "ACCOUNT_MASTER_KEYS",
    "TOKEN_PRIVATE_KEYS",
    "URL_SIGNING_KEY",
)
"""Those that no part stands for: given to the settings whatever parts are started."""


def load_keys(path: Path) -> dict[str, str]:
    """The secrets at `path`; those that are missing are made and written there."""
    try:
        kept: dict[str, str] = json.loads(path.read_text())
    except FileNotFoundError:
        kept = {}
    made = {name: make() for name, make in _MAKERS.items() if name not in kept}
    if made:
        kept |= made
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(kept, file, indent=1)
        draft.replace(path)
    return kept
