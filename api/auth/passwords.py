"""Routes of passwords: change one that is known, set a new one by mail."""

from __future__ import annotations

from fastapi import APIRouter, BackgroundTasks, Request

from api import API_PREFIX
from api.auth import schemas
from api.auth.callers import SignedInCaller
from api.auth.mailing import begin_mail, mail_link
from api.auth.origin import RequestOrigin
from api.auth.signing_in import notify
from api.contract.limits import limit_sign_in
from api.parts import ApiParts
from api.problems import PROBLEMS
from domain.auth import MailKind, SessionEnd
from domain.errors import AccessDenied, Invalid
from domain.mails import SecurityEvent
from infra.db import async_transaction
from infra.queries.auth.accounts import (
    Credential,
    lock_unchanged,
    owner_of_link,
    set_password,
    verified_account,
    words_of,
)
from infra.queries.auth.journal import note_own_act
from infra.queries.auth.mails import take_mail_token
from infra.queries.auth.sessions import revoke_all
from infra.queries.callers import load_caller

router = APIRouter(prefix=f"{API_PREFIX}/auth/password", tags=["auth"], responses=PROBLEMS)


@router.post("/change", operation_id="changePassword", status_code=204)
async def change_password(
    request: Request,
    change: schemas.PasswordChange,
    background: BackgroundTasks,
    caller: SignedInCaller,
    parts: ApiParts,
    origin: RequestOrigin,
) -> None:
    """Set a new password. Ends every other session, and tells the account's owner by mail."""
    tries = await limit_sign_in(request, parts, account=caller.user_id)
    current = change.current_password.get_secret_value()
    new = change.new_password.get_secret_value()
    async with async_transaction(parts.engine) as session:
        user = await load_caller(session, caller.caller)
    credential = Credential(user.id, user.password_hash)
    verified = await parts.passwords.verify(credential.password_hash, current)
    if not verified.matches:
        raise _password_wrong()
    await tries.succeeded()
    if new == current:
        raise Invalid("This is the password that you have.", code="password_unchanged")
    password_hash = await parts.passwords.hash_new(new, own_words=words_of(user))
    now = parts.now()
    async with async_transaction(parts.engine) as session:
        await load_caller(session, caller.caller)
        locked = await lock_unchanged(session, credential)
        if locked is None:
            raise _password_wrong()
        await set_password(session, locked, password_hash, now=now)
        ended = await revoke_all(
            session,
            user_id=user.id,
            reason=SessionEnd.PASSWORD_CHANGED,
            now=now,
            except_session_id=caller.session_id,
        )
        await note_own_act(
            session,
            locked,
            "password.changed",
            origin,
            session_id=caller.session_id,
            sessions=str(ended),
        )
        mail_id = await notify(session, locked, SecurityEvent.PASSWORD_CHANGED, origin)
    if mail_id is not None:
        background.add_task(begin_mail, parts, mail_id)


@router.post("/forgot", operation_id="forgotPassword", status_code=202)
async def forgot_password(
    request: Request, wish: schemas.EmailRequest, background: BackgroundTasks, parts: ApiParts
) -> schemas.MailedBody:
    """Ask for a link to set a new password. The answer is always the same.

    At most one mail a minute is sent.
    """
    await limit_sign_in(request, parts, account=wish.email, by_strangers=True)
    background.add_task(
        mail_link,
        parts,
        wish.email,
        find=verified_account,
        kind=MailKind.RESET_PASSWORD,
        ttl_seconds=parts.settings.reset_link_ttl_seconds,
    )
    return schemas.MailedBody()


@router.post("/reset", operation_id="resetPassword", status_code=204)
async def reset_password(
    request: Request,
    reset: schemas.PasswordReset,
    background: BackgroundTasks,
    parts: ApiParts,
    origin: RequestOrigin,
) -> None:
    """Set a new password by the token from the mail. Ends all sessions; signs nobody in.

    Second factors stay: they are asked for at the next sign-in. A password that is refused
    does not use the token up.
    """
    tries = await limit_sign_in(request, parts)
    key = parts.settings.url_signing_key_bytes
    async with async_transaction(parts.engine) as session:
        user = await owner_of_link(session, reset.token, key=key)
    await tries.succeeded()
    password_hash = await parts.passwords.hash_new(
        reset.new_password.get_secret_value(), own_words=words_of(user)
    )
    now = parts.now()
    async with async_transaction(parts.engine) as session:
        user = await owner_of_link(session, reset.token, key=key)
        await take_mail_token(
            session, token=reset.token, kind=MailKind.RESET_PASSWORD, key=key, now=now
        )
        await set_password(session, user, password_hash, now=now)
        ended = await revoke_all(
            session, user_id=user.id, reason=SessionEnd.PASSWORD_RESET, now=now
        )
        await note_own_act(session, user, "password.reset", origin, sessions=str(ended))
        mail_id = await notify(session, user, SecurityEvent.PASSWORD_RESET, origin)
    if mail_id is not None:
        background.add_task(begin_mail, parts, mail_id)


def _password_wrong() -> AccessDenied:
    return AccessDenied("This is not your current password.", code="password_wrong")
