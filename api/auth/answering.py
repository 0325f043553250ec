"""How a sign-in is answered: tokens in the body, or in cookies that no script can read."""

from __future__ import annotations

from fastapi import Response

from api.auth.cookies import set_cookies
from api.auth.schemas import SignedInBody
from api.parts import Parts
from domain.auth import SessionMode
from infra.queries.auth.sessions import BegunSession


def answer_signed_in(parts: Parts, response: Response, begun: BegunSession) -> SignedInBody:
    """The body for a session that was begun or refreshed. Sets its cookies in mode `cookie`.

    Call it when the transaction has committed.
    """
    settings = parts.settings
    access_token = parts.token_keys.mint(begun.user_id, session_id=begun.session_id)
    is_bearer = begun.mode is SessionMode.BEARER
    if not is_bearer:
        set_cookies(
            response,
            access_token=access_token,
            refresh_token=begun.refresh_token,
            seconds=settings.refresh_token_ttl_seconds,
        )
    return SignedInBody(
        session_id=begun.session_id,
        user_id=begun.user_id,
        token_type="Bearer" if is_bearer else None,
        access_token=access_token if is_bearer else None,
        refresh_token=begun.refresh_token if is_bearer else None,
        expires_in=settings.access_token_ttl_seconds,
    )
