"""Who may read payloads: names with a secret each, and cookies that stand for them for a while."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping

from pydantic import SecretStr

SESSION_SECONDS = 12 * 3600
ANYBODY = "anybody on this machine"
"""Who asks where no operator is named, which development alone allows."""


class Operators:
    """`CODEC_OPERATORS`: `name=secret`, one for each person."""

    def __init__(self, secrets: Mapping[str, SecretStr]) -> None:
        self._secrets = {
            name: secret.get_secret_value().encode() for name, secret in secrets.items()
        }

    @property
    def are_named(self) -> bool:
        return bool(self._secrets)

    def who_has(self, secret: str) -> str | None:
        """The operator whose secret it is."""
        given = secret.encode()
        found = [name for name, own in self._secrets.items() if hmac.compare_digest(own, given)]
        return found[0] if found else None

    def make_cookie(self, name: str) -> str:
        """`NAME.EXPIRES.SIGNATURE`; worth nothing once the operator's secret has changed."""
        expires = int(time.time()) + SESSION_SECONDS
        return f"{name}.{expires}.{self._signature(name, expires)}"

    def who_holds(self, cookie: str) -> str | None:
        """The operator whom a cookie was made for, while it is good."""
        # A name may have dots of its own.
        rest, _, signature = cookie.rpartition(".")
        name, _, written = rest.rpartition(".")
        if name not in self._secrets or not written.isdigit() or int(written) < time.time():
            return None
        wanted = self._signature(name, int(written))
        return name if hmac.compare_digest(wanted.encode(), signature.encode()) else None

    def _signature(self, name: str, expires: int) -> str:
        said = f"codec-session:{name}:{expires}".encode()
        return hmac.new(self._secrets[name], said, hashlib.sha256).hexdigest()
