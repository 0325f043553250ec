"""Master keys that wrap the keys of media, the TOTP secrets of accounts, and kept answers.

Rotation: put a new master key first. It wraps from then on, and every key in the ring still
unwraps; an old one can be dropped when no row names its id any more.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

_NONCE_BYTES = 12


class UnknownMasterKey(Exception):
    """Something was wrapped by a master key that the ring does not hold any more: see
    `MEDIA_MASTER_KEYS` and `ACCOUNT_MASTER_KEYS`."""


class WrappedKeyDamaged(Exception):
    """The stored blob is not what was wrapped under this key id."""


class KeyRing:
    """AES-256-GCM under named keys; the first one wraps, all unwrap."""

    def __init__(self, keys: Mapping[str, SecretStr]) -> None:
        self._ciphers = {
            key_id: AESGCM(base64.b64decode(secret.get_secret_value()))
            for key_id, secret in keys.items()
        }
        self._current = next(iter(self._ciphers))

    @property
    def current_id(self) -> str:
        """Of the key that wraps now."""
        return self._current

    def wrap(self, raw: bytes) -> tuple[str, bytes]:
        """`(key_id, blob)` to store; the id is authenticated together with the bytes."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self._current].encrypt(nonce, raw, self._current.encode())
        return self._current, nonce + sealed

    def unwrap(self, key_id: str, blob: bytes) -> bytes:
        """What was wrapped.

        Raises:
            UnknownMasterKey: the ring lost `key_id`.
            WrappedKeyDamaged: blob and id do not belong together.
        """
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise UnknownMasterKey(f"no key {key_id!r} in a ring of master keys")
        try:
            return cipher.decrypt(blob[:_NONCE_BYTES], blob[_NONCE_BYTES:], key_id.encode())
        except InvalidTag:
            raise WrappedKeyDamaged(f"a key wrapped by {key_id!r} does not open") from None
