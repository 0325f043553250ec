"""Who sends a request: dependencies of routes."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from typing import Annotated

import structlog
from fastapi import Depends, Request, Security
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase

from api.auth.cookies import ACCESS_COOKIE
from api.auth.tokens import TokenKeys, invalid_token
from domain.access import Caller
from domain.errors import Unauthenticated
from infra.settings import Settings

ACCESS_TOKEN_SCHEME, ACCESS_COOKIE_SCHEME = "accessToken", "accessCookie"
"""As the document names them; a request needs one of the two."""
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


class _CallerFromToken(SecurityBase):
    """Reads the token from the header or, where there is none, from the cookie.

    One dependency that answers with the caller, and not one for each place with a third that
    puts them together: they are resolved anew for each request, and a hot read notices.
    """

    def __init__(self) -> None:
        self.scheme_name = ACCESS_TOKEN_SCHEME
        self.model = HTTPBearerModel(
            bearerFormat="JWT",
            description="A short-lived JWT; `POST /auth/login` and `POST /auth/refresh` give it "
            "out.",
        )

    async def __call__(self, request: Request) -> Caller:
        parts = request.app.state.parts
        country = country_of(request, parts.settings)
        token = _token_of(request)
        if token is None:
            if "authorization" in request.headers:
                raise invalid_token()
            return Caller(None, country=country)
        keys: TokenKeys = parts.token_keys
        caller = keys.verify(token, now=int(time.time()))
        structlog.contextvars.bind_contextvars(user_id=caller.user_id)
        return caller if country is None else replace(caller, country=country)


def _token_of(request: Request) -> str | None:
    """A header that is no bearer token counts as none, and hides the cookie."""
    header = request.headers.get("authorization")
    if header is None:
        return request.cookies.get(ACCESS_COOKIE) or None
    scheme, _, token = header.partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def named_caller(request: Request) -> Caller | None:
    """Whom the request's token names, for what comes before routes and their dependencies.

    None where there is no token, or none that counts: the route is the one to refuse that.
    """
    token = _token_of(request)
    if token is None:
        return None
    keys: TokenKeys = request.app.state.parts.token_keys
    try:
        return keys.verify(token, now=int(time.time()))
    except Unauthenticated:
        return None


_caller = _CallerFromToken()


async def _signed_in(caller: Annotated[Caller, Security(_caller)]) -> SignedIn:
    if caller.user_id is None:
        raise Unauthenticated("This needs an access token: `Authorization: Bearer …`.")
    return SignedIn(caller.user_id, caller.session_id, caller.country)


AnyCaller = Annotated[Caller, Security(_caller)]
"""Dependency of routes that somebody not signed in may use; a bad token is still refused."""
SignedInCaller = Annotated[SignedIn, Depends(_signed_in)]


def country_of(request: Request, settings: Settings) -> str | None:
    """Where the request comes from, by the header that the CDN in front sets."""
    if settings.country_header is None:
        return None
    country = request.headers.get(settings.country_header, "").upper()
    known = _COUNTRY.fullmatch(country) and country not in _UNKNOWN_COUNTRIES
    return country if known else None
