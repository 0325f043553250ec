"""Who sends a request: dependencies of routes."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from typing import Annotated

import structlog
from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from api.auth.cookies import ACCESS_COOKIE
from api.auth.tokens import TokenKeys, invalid_token
from domain.access import Caller
from domain.errors import Unauthenticated
from infra.settings import Settings

_COUNTRY = re.compile(r"[A-Z]{2}")
_UNKNOWN_COUNTRIES = frozenset({"XX", "T1", "ZZ"})
"""What CDNs say where they don't know, or of the Tor network."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A caller of whom a token tells who they are."""

    user_id: str
    session_id: str | None
    country: str | None

    @property
    def caller(self) -> Caller:
        return Caller(self.user_id, self.session_id, self.country)


_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="accessToken",
    bearerFormat="JWT",
    description="A short-lived JWT; `POST /auth/login` and `POST /auth/refresh` give it out.",
)
_cookie = APIKeyCookie(
    name=ACCESS_COOKIE,
    auto_error=False,
    scheme_name="accessCookie",
    description="The same token for browsers, which sign in with mode `cookie`. Counts where "
    "there is no `Authorization` header.",
)
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
_Cookie = Annotated[str | None, Security(_cookie)]


async def _caller(request: Request, credentials: _Credentials, cookie: _Cookie) -> Caller:
    parts = request.app.state.parts
    country = country_of(request, parts.settings)
    if credentials is None and "authorization" in request.headers:
        raise invalid_token()
    token = credentials.credentials if credentials else cookie
    if token is None:
        return Caller(None, country=country)
    keys: TokenKeys = parts.token_keys
    caller = keys.verify(token, now=int(time.time()))
    structlog.contextvars.bind_contextvars(user_id=caller.user_id)
    return replace(caller, country=country)


def named_caller(request: Request) -> Caller | None:
    """Whom the request's token names, for what comes before routes and their dependencies.

    None where there is no token, or none that counts: the route is the one to refuse that.
    """
    token = request.cookies.get(ACCESS_COOKIE)
    if "authorization" in request.headers:
        scheme, _, token = request.headers["authorization"].partition(" ")
        token = token.strip() if scheme.lower() == "bearer" else None
    if not token:
        return None
    keys: TokenKeys = request.app.state.parts.token_keys
    try:
        return keys.verify(token, now=int(time.time()))
    except Unauthenticated:
        return None


async def _signed_in(caller: Annotated[Caller, Depends(_caller)]) -> SignedIn:
    if caller.user_id is None:
        raise Unauthenticated("This needs an access token: `Authorization: Bearer …`.")
    return SignedIn(caller.user_id, caller.session_id, caller.country)


AnyCaller = Annotated[Caller, Depends(_caller)]
"""Dependency of routes that somebody not signed in may use; a bad token is still refused."""
SignedInCaller = Annotated[SignedIn, Depends(_signed_in)]


def country_of(request: Request, settings: Settings) -> str | None:
    """Where the request comes from, by the header that the CDN in front sets."""
    if settings.country_header is None:
        return None
    country = request.headers.get(settings.country_header, "").upper()
    known = _COUNTRY.fullmatch(country) and country not in _UNKNOWN_COUNTRIES
    return country if known else None
