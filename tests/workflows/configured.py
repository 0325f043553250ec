"""Settings for workers of this layer: keys without a secret in them, and nothing to connect to."""

from __future__ import annotations

import base64
from typing import Any

from pydantic import SecretStr

from infra.settings import Settings


def settings_of(**changes: Any) -> Settings:
    key = SecretStr(base64.b64encode(bytes(32)).decode())
    ring = {"a": key}
    values: dict[str, Any] = {
        "payload_keys": ring,
        "media_master_keys": ring,
        "account_master_keys": ring,
        "token_private_keys": ring,
        "url_signing_key": key,
    }
    return Settings(**(values | changes))
