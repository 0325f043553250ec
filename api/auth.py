"""Access tokens: short-lived JWTs signed with Ed25519 (RFC 8037, RFC 9864).

A token says who somebody is and nothing about what they may do. Role and standing are read
from the database by the statement that each request runs anyway (`infra/queries/access.py`),
so that both can be taken away from one request to the next.
"""

from __future__ import annotations

import base64
import time
import uuid
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Annotated, Any

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from domain.errors import Unauthenticated
from infra.settings import Settings

ALGORITHM = "Ed25519"
ISSUER = "fansworld"
AUDIENCE = "fansworld-api"
CLOCK_SKEW_SECONDS = 5
_VERIFIED_MAX = 4096


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request; `user_id` None is somebody not signed in."""

    user_id: str | None


@dataclass(frozen=True, slots=True)
class SignedIn:
    user_id: str


class TokenKey:
    """Mints and verifies tokens with one key pair."""

    def __init__(self, settings: Settings) -> None:
        secret = settings.token_private_key
        assert secret is not None, "settings are validated at boot"
        private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(secret.get_secret_value()))
        self._key = OKPKey.import_key(
            private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        self._ttl_seconds = settings.access_token_ttl_seconds
        # A signature stays right or wrong for ever, and checking one takes longer than a hot
        # read has to spare. What may change with time (expiry) is checked at each use.
        self._signed_claims = lru_cache(maxsize=_VERIFIED_MAX)(self._check_signature)

    @cached_property
    def key_id(self) -> str:
        return self._key.thumbprint()

    def mint(self, user_id: str, *, ttl_seconds: int | None = None, now: int | None = None) -> str:
        """A token for `user_id`; `now` in Unix seconds."""
        issued = int(time.time()) if now is None else now
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user_id,
            "iat": issued,
            "exp": issued + (self._ttl_seconds if ttl_seconds is None else ttl_seconds),
            "jti": uuid.uuid4().hex,
        }
        header = {"alg": ALGORITHM, "kid": self.key_id, "typ": "at+jwt"}
        return jwt.encode(header, claims, self._key, algorithms=[ALGORITHM])

    def verify(self, token: str, *, now: int) -> str:
        """The user id of a valid token.

        Raises:
            Unauthenticated: `token_invalid` or `token_expired`.
        """
        claims = self._signed_claims(token)
        expires, issued, subject = claims.get("exp"), claims.get("iat"), claims.get("sub")
        if (
            claims.get("iss") != ISSUER
            or claims.get("aud") != AUDIENCE
            or not isinstance(expires, int)
            or not isinstance(issued, int)
            or not isinstance(subject, str)
            or issued > now + CLOCK_SKEW_SECONDS
        ):
            raise _invalid_token()
        if expires + CLOCK_SKEW_SECONDS <= now:
            raise Unauthenticated("The access token has expired.", code="token_expired")
        return subject

    def _check_signature(self, token: str) -> dict[str, Any]:
        try:
            return jwt.decode(token, self._key, algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError):
            # ValueError: text that is no JWT at all, such as broken base64 or UTF-8.
            raise _invalid_token() from None


def mint_token(settings: Settings, user_id: str, *, ttl_seconds: int | None = None) -> str:
    """A token for a known user; for commands and the demo, until accounts are built."""
    return TokenKey(settings).mint(user_id, ttl_seconds=ttl_seconds)


_bearer = HTTPBearer(
    auto_error=False, scheme_name="accessToken", bearerFormat="JWT", description=__doc__
)
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


async def _caller(request: Request, credentials: _Credentials) -> Caller:
    if credentials is None:
        if "authorization" in request.headers:
            raise _invalid_token()
        return Caller(None)
    key: TokenKey = request.app.state.parts.token_key
    user_id = key.verify(credentials.credentials, now=int(time.time()))
    structlog.contextvars.bind_contextvars(user_id=user_id)
    return Caller(user_id)


async def _signed_in(caller: Annotated[Caller, Depends(_caller)]) -> SignedIn:
    if caller.user_id is None:
        raise Unauthenticated("This needs an access token: `Authorization: Bearer …`.")
    return SignedIn(caller.user_id)


AnyCaller = Annotated[Caller, Depends(_caller)]
"""Dependency of routes that somebody not signed in may use; a bad token is still refused."""
SignedInCaller = Annotated[SignedIn, Depends(_signed_in)]


def _invalid_token() -> Unauthenticated:
    return Unauthenticated("The access token is not valid.", code="token_invalid")
