"""How a sign-in is answered: tokens in the body, or in cookies that no script can read."""

from __future__ import annotations

from fastapi import Response

from api.auth.schemas import SignedInBody
from api.parts import Parts
from domain.auth import SessionMode
from infra.queries.auth.sessions import BegunSession

ACCESS_COOKIE = "__Host-fansworld-access"
REFRESH_COOKIE = "__Host-fansworld-refresh"
"""`__Host-`: browsers take such a cookie from this very host only, over TLS, for all paths
(RFC 6265bis §4.1.3.2); no neighbouring subdomain can plant one."""


def answer_signed_in(parts: Parts, response: Response, begun: BegunSession) -> SignedInBody:
    """The body for a session that was begun or refreshed. Sets its cookies in mode `cookie`.

    Call it when the transaction has committed.
    """
    settings = parts.settings
    access_token = parts.token_keys.mint(begun.user_id, session_id=begun.session_id)
    is_bearer = begun.mode is SessionMode.BEARER
    if not is_bearer:
        # The access token's cookie outlives the token, so that a browser that comes back hears
        # `token_expired`, which says: refresh, and not: sign in.
        seconds = settings.refresh_token_ttl_seconds
        _set_cookie(response, ACCESS_COOKIE, access_token, seconds=seconds)
        _set_cookie(response, REFRESH_COOKIE, begun.refresh_token, seconds=seconds)
    return SignedInBody(
        session_id=begun.session_id,
        user_id=begun.user_id,
        token_type="Bearer" if is_bearer else None,
        access_token=access_token if is_bearer else None,
        refresh_token=begun.refresh_token if is_bearer else None,
        expires_in=settings.access_token_ttl_seconds,
    )


def clear_cookies(response: Response) -> None:
    for name in (ACCESS_COOKIE, REFRESH_COOKIE):
        _set_cookie(response, name, "", seconds=0)


def _set_cookie(response: Response, name: str, value: str, *, seconds: int) -> None:
    response.set_cookie(
        name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax"
    )
