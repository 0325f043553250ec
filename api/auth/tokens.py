"""Access tokens: short-lived JWTs signed with Ed25519 (RFC 8037, RFC 9864).

A token says who somebody is and nothing about what they may do. Role and standing are read
from the database by the statement that each request runs anyway (`infra/queries/access/`),
so that both can be taken away from one request to the next. So is its session.

Keys are rotated by the ring `TOKEN_PRIVATE_KEYS`: put a new one first, and drop the old one
when the tokens that it has signed are over. The public halves are published as a JWK Set.
"""

from __future__ import annotations

import base64
import time
import uuid
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from domain.access import Caller
from domain.errors import Unauthenticated
from infra.settings import Settings

ALGORITHM = "Ed25519"
ISSUER = "fansworld"
AUDIENCE = "fansworld-api"
CLOCK_SKEW_SECONDS = 5
_VERIFIED_MAX = 4096


class TokenKeys:
    """Mints tokens with the first key of the ring, verifies those of every key."""

    def __init__(self, settings: Settings) -> None:
        self._keys = {
            key_id: _key_pair(key_id, secret.get_secret_value())
            for key_id, secret in settings.token_private_keys.items()
        }
        self._key_id = next(iter(self._keys))
        self._key_set = KeySet(list(self._keys.values()))
        self._ttl_seconds = settings.access_token_ttl_seconds
        # A signature stays right or wrong for ever, and checking one takes longer than a hot
        # read has to spare. What may change with time (expiry) is checked at each use.
        self._signed_claims = lru_cache(maxsize=_VERIFIED_MAX)(self._check_signature)

    def public_set(self) -> dict[str, Any]:
        """The public halves as a JWK Set (RFC 7517 §5), the signing key first."""
        keys = [key.as_dict(private=False) for key in self._keys.values()]
        return {"keys": [{**key, "use": "sig", "alg": ALGORITHM} for key in keys]}

    def mint(
        self,
        user_id: str,
        *,
        session_id: str | None = None,
        ttl_seconds: int | None = None,
        now: int | None = None,
    ) -> str:
        """A token for `user_id`; `now` in Unix seconds.

        Without a session only its expiry ends it.
        """
        issued = int(time.time()) if now is None else now
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user_id,
            "iat": issued,
            "exp": issued + (self._ttl_seconds if ttl_seconds is None else ttl_seconds),
            "jti": uuid.uuid4().hex,
        }
        if session_id is not None:
            claims["sid"] = session_id
        header = {"alg": ALGORITHM, "kid": self._key_id, "typ": "at+jwt"}
        return jwt.encode(header, claims, self._keys[self._key_id], algorithms=[ALGORITHM])

    def verify(self, token: str, *, now: int) -> Caller:
        """Whom a valid token names.

        Raises:
            Unauthenticated: `token_invalid` or `token_expired`.
        """
        claims = self._signed_claims(token)
        expires, issued, subject = claims.get("exp"), claims.get("iat"), claims.get("sub")
        session_id = claims.get("sid")
        if (
            claims.get("iss") != ISSUER
            or claims.get("aud") != AUDIENCE
            or not isinstance(expires, int)
            or not isinstance(issued, int)
            or not isinstance(subject, str)
            or not isinstance(session_id, str | None)
            or issued > now + CLOCK_SKEW_SECONDS
        ):
            raise invalid_token()
        if expires + CLOCK_SKEW_SECONDS <= now:
            raise Unauthenticated("The access token has expired.", code="token_expired")
        return Caller(subject, session_id)

    def _check_signature(self, token: str) -> dict[str, Any]:
        try:
            return jwt.decode(token, self._key_set, algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError):
            # ValueError: text that is no JWT at all, such as broken base64 or UTF-8.
            raise invalid_token() from None


def mint_token(settings: Settings, user_id: str, *, ttl_seconds: int | None = None) -> str:
    """A token for a known user, without a session; for commands."""
    return TokenKeys(settings).mint(user_id, ttl_seconds=ttl_seconds)


def _key_pair(key_id: str, secret: str) -> OKPKey:
    private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(secret))
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return OKPKey.import_key(pem, {"kid": key_id})


def invalid_token() -> Unauthenticated:
    return Unauthenticated("The access token is not valid.", code="token_invalid")
