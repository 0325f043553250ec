"""Routes of signing in and out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import structlog
from fastapi import APIRouter, Body, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from api import API_PREFIX
from api.auth import schemas
from api.auth.answering import answer_signed_in
from api.auth.callers import SignedInCaller
from api.auth.cookies import REFRESH_COOKIE, clear_cookies
from api.auth.mailing import begin_mail
from api.auth.origin import RequestOrigin
from api.contract.limits import limit_sign_in
from api.parts import ApiParts, Parts
from api.problems import PROBLEMS
from domain.auth import MailKind, Origin, SessionEnd, SessionMode
from domain.errors import AccessDenied, Unauthenticated
from domain.factors import AuthMethod
from domain.mails import SecurityEvent
from infra.db import async_transaction
from infra.models import User
from infra.queries.auth.accounts import credential_of, lock_unchanged
from infra.queries.auth.factors import begin_second_factor, second_factor_methods
from infra.queries.auth.journal import note_own_act
from infra.queries.auth.mails import write_mail
from infra.queries.auth.sessions import (
    BegunSession,
    begin_session,
    revoke_all,
    revoke_session,
    rotate,
)
from infra.queries.callers import load_caller

router = APIRouter(prefix=f"{API_PREFIX}/auth", tags=["auth"], responses=PROBLEMS)
log = structlog.get_logger(__name__)


@router.post("/login", operation_id="signIn")
async def sign_in(
    request: Request,
    wish: schemas.LoginRequest,
    response: Response,
    parts: ApiParts,
    origin: RequestOrigin,
) -> schemas.SignedInBody | schemas.SecondFactorBody:
    """Sign in with a password. An account with a second factor is asked for it next.

    A wrong password and a name that nobody has are one answer, 401 `credentials_wrong`, after
    the same time. Only the right password hears `email_unverified` or `suspended` (403).
    """
    tries = await limit_sign_in(request, parts, account=wish.name, by_strangers=True)
    password = wish.password.get_secret_value()
    credential = await credential_of(parts.reads, wish.name)
    verified = await parts.passwords.verify(
        credential.password_hash if credential else None, password
    )
    if credential is None or not verified.matches:
        log.info("sign_in_refused", user_id=credential and credential.user_id, ip=origin.ip)
        raise _credentials_wrong()
    await tries.succeeded()
    password_hash = await parts.passwords.rehash(password) if verified.is_outdated else None
    now = parts.now()
    async with async_transaction(parts.engine) as session:
        user = await lock_unchanged(session, credential)
        if user is None:
            raise _credentials_wrong()
        require_open(user)
        if password_hash is not None:
            user.password_hash = password_hash
        methods = await second_factor_methods(session, user.id)
        if methods:
            challenge_id = await begin_second_factor(session, user_id=user.id, now=now)
            return schemas.SecondFactorBody(challenge_id=challenge_id, methods=list(methods))
        begun = await begin_signed_in(
            parts,
            session,
            user,
            mode=wish.mode,
            methods=[AuthMethod.PASSWORD],
            origin=origin,
            now=now,
        )
    return answer_signed_in(parts, response, begun)


def require_open(user: User) -> None:
    """For somebody who has proved who they are.

    Raises:
        AccessDenied: `suspended` or `email_unverified`.
    """
    if user.suspended_at is not None:
        raise AccessDenied("This account is suspended.", code="suspended")
    if user.email is not None and user.email_verified_at is None:
        raise AccessDenied(
            "Verify your e-mail address first: `POST /auth/verify-email/resend` sends the link "
            "again.",
            code="email_unverified",
        )


async def begin_signed_in(
    parts: Parts,
    session: AsyncSession,
    user: User,
    *,
    mode: SessionMode,
    methods: list[AuthMethod],
    origin: Origin,
    now: datetime,
    second_factor_at: datetime | None = None,
) -> BegunSession:
    """A session for somebody who has proved who they are, with its audit entry."""
    begun = await begin_session(
        session,
        user_id=user.id,
        mode=mode,
        methods=methods,
        now=now,
        user_agent=origin.user_agent,
        ip=origin.ip,
        second_factor_at=second_factor_at,
        ttl=timedelta(seconds=parts.settings.refresh_token_ttl_seconds),
    )
    await note_own_act(
        session,
        user,
        "session.begun",
        origin,
        session_id=begun.session_id,
        methods=" ".join(methods),
    )
    return begun


@router.post("/refresh", operation_id="refreshSession")
async def refresh(
    request: Request,
    response: Response,
    parts: ApiParts,
    origin: RequestOrigin,
    given: Annotated[schemas.RefreshRequest | None, Body()] = None,
) -> schemas.SignedInBody:
    """Go on with a session: a refresh token for a new access token and the next refresh token.

    The token is in the body, or in its cookie. It is used once. Within ten seconds it may be
    sent again, for an answer that was lost; used later again it is taken for stolen, and the
    session ends for everybody who holds a token of it.
    """
    token = given.refresh_token if given else request.cookies.get(REFRESH_COOKIE)
    if token is None:
        raise Unauthenticated("Send a refresh token.", code="refresh_token_missing")
    settings = parts.settings
    mail_id = None
    async with async_transaction(parts.engine) as session:
        rotation = await rotate(
            session,
            refresh_token=token,
            now=parts.now(),
            grace=timedelta(seconds=settings.refresh_grace_seconds),
            ttl=timedelta(seconds=settings.refresh_token_ttl_seconds),
            ip=origin.ip,
        )
        if rotation.begun is None:
            await note_own_act(
                session,
                rotation.user,
                "session.token_reused",
                origin,
                session_id=rotation.session_id,
            )
            mail_id = await notify(session, rotation.user, SecurityEvent.SESSION_STOLEN, origin)
    if rotation.begun is None:
        if mail_id is not None:
            # Not as a background task: those belong to answers, and this ends in an error.
            await begin_mail(parts, mail_id)
        log.warning("refresh_token_reused", session_id=rotation.session_id, ip=origin.ip)
        raise Unauthenticated(
            "This refresh token was used before. For safety its session has ended: sign in again.",
            code="refresh_token_reused",
        )
    return answer_signed_in(parts, response, rotation.begun)


async def notify(
    session: AsyncSession, user: User, event: SecurityEvent, origin: Origin
) -> str | None:
    """A mail that tells somebody of a change to how they sign in; its id, for `begin_mail`."""
    if user.email is None or user.email_verified_at is None:
        return None
    mail = await write_mail(
        session,
        user_id=user.id,
        kind=MailKind.SECURITY_NOTICE,
        address=user.email,
        facts={"event": event, "device": origin.user_agent, "ip": origin.ip or ""},
    )
    return mail.id


@router.post("/logout", operation_id="signOut", status_code=204)
async def sign_out(
    response: Response, caller: SignedInCaller, parts: ApiParts, origin: RequestOrigin
) -> None:
    """End the session that asks. Its tokens count no more from now on."""
    async with async_transaction(parts.engine) as session:
        user = await load_caller(session, caller.caller)
        if caller.session_id is not None:
            await revoke_session(
                session,
                user_id=user.id,
                session_id=caller.session_id,
                reason=SessionEnd.SIGNED_OUT,
                now=parts.now(),
            )
            await note_own_act(session, user, "session.ended", origin, session_id=caller.session_id)
    clear_cookies(response)


@router.post("/logout-all", operation_id="signOutEverywhere", status_code=204)
async def sign_out_everywhere(
    response: Response, caller: SignedInCaller, parts: ApiParts, origin: RequestOrigin
) -> None:
    """End every session of the caller, this one too."""
    async with async_transaction(parts.engine) as session:
        user = await load_caller(session, caller.caller)
        ended = await revoke_all(
            session, user_id=user.id, reason=SessionEnd.SIGNED_OUT_EVERYWHERE, now=parts.now()
        )
        await note_own_act(
            session,
            user,
            "session.all_ended",
            origin,
            session_id=caller.session_id,
            sessions=str(ended),
        )
    clear_cookies(response)


def _credentials_wrong() -> Unauthenticated:
    return Unauthenticated(
        "Name and password don't belong together, or there is no such account.",
        code="credentials_wrong",
    )
