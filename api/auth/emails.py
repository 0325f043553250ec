"""Routes of moving an account to another e-mail address."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, BackgroundTasks, Request
from sqlalchemy.ext.asyncio import AsyncSession

from api import API_PREFIX
from api.auth import schemas
from api.auth.mailing import begin_mail
from api.auth.origin import RequestOrigin
from api.auth.signing_in import notify
from api.auth.standing import FreshCaller
from api.contract.limits import limit_sign_in
from api.parts import ApiParts
from api.problems import PROBLEMS
from domain.auth import MailKind, SessionEnd
from domain.errors import Gone, Invalid
from domain.mails import SecurityEvent
from infra.db import async_transaction
from infra.queries.auth.accounts import lock_mover, move_to_address, verified_account
from infra.queries.auth.journal import note_own_act
from infra.queries.auth.mails import take_mail_token, void_mail_tokens, write_mail
from infra.queries.auth.sessions import hold_session, revoke_all
from infra.queries.callers import load_caller

router = APIRouter(prefix=f"{API_PREFIX}/auth/email", tags=["auth"], responses=PROBLEMS)


@router.post("/change", operation_id="changeEmail", status_code=202)
async def change_email(
    request: Request,
    wish: schemas.EmailChange,
    background: BackgroundTasks,
    caller: FreshCaller,
    parts: ApiParts,
    origin: RequestOrigin,
) -> schemas.MailedBody:
    """Ask to sign in with another address from now on. Needs a fresh proof.

    A link goes to the new address, and a notice to the old one, which stays until the link is
    followed. The answer is the same where the address has an account already: a mail tells its
    owner. Of several wishes the newest counts, as long as the session that asked is live.
    """
    await limit_sign_in(request, parts, account=caller.user_id)
    now = parts.now()
    async with async_transaction(parts.engine) as session:
        user = await load_caller(session, caller.caller, lock=True)
        if user.email is not None and user.email.casefold() == wish.email.casefold():
            raise Invalid("This is the address that you have.", code="email_unchanged")
        known = await verified_account(session, wish.email)
        await void_mail_tokens(session, user.id, MailKind.CHANGE_EMAIL, now=now)
        mail = await write_mail(
            session,
            user_id=(known or user).id,
            kind=MailKind.ALREADY_REGISTERED if known else MailKind.CHANGE_EMAIL,
            address=(known and known.email) or wish.email,
            facts={"session_id": caller.session_id} if caller.session_id else None,
            expires_at=now + timedelta(seconds=parts.settings.email_link_ttl_seconds),
        )
        notice = await notify(session, user, SecurityEvent.EMAIL_CHANGE_ASKED, origin)
        await note_own_act(
            session, user, "email.change_asked", origin, session_id=caller.session_id
        )
    for mail_id in filter(None, (mail.id, notice)):
        background.add_task(begin_mail, parts, mail_id)
    return schemas.MailedBody()


@router.post("/confirm", operation_id="confirmEmail", status_code=204)
async def confirm_email(
    request: Request,
    proof: schemas.VerifyEmailRequest,
    background: BackgroundTasks,
    parts: ApiParts,
    origin: RequestOrigin,
) -> None:
    """Move the account to its new address by the token from the mail. Signs nobody in.

    Ends every session but the one that asked; the old address is told, and links to set a new
    password that were mailed to it count no more. Where the session that asked has ended, the
    answer is 410 `link_expired`, and where somebody else has verified the address meanwhile,
    `link_used`.
    """
    tries = await limit_sign_in(request, parts)
    key, now = parts.settings.url_signing_key_bytes, parts.now()
    async with async_transaction(parts.engine) as session:
        user, others = await lock_mover(session, proof.token, key=key)
        mail = await take_mail_token(
            session, token=proof.token, kind=MailKind.CHANGE_EMAIL, key=key, now=now
        )
        asked_in = mail.facts.get("session_id")
        await _require_live(session, user.id, asked_in)
        notice = await notify(session, user, SecurityEvent.EMAIL_CHANGED, origin)
        await move_to_address(session, user, mail.address, others=others, now=now)
        await void_mail_tokens(session, user.id, MailKind.RESET_PASSWORD, now=now)
        ended = await revoke_all(
            session,
            user_id=user.id,
            reason=SessionEnd.EMAIL_CHANGED,
            now=now,
            except_session_id=asked_in,
        )
        await note_own_act(session, user, "email.changed", origin, sessions=str(ended))
    await tries.succeeded()
    if notice is not None:
        background.add_task(begin_mail, parts, notice)


async def _require_live(session: AsyncSession, user_id: str, session_id: str | None) -> None:
    """Whoever ends the session of a thief, or sets a new password, ends with it what was asked
    for in it: the thief must not move the account away afterwards.

    Args:
        session_id: None where it was asked for with a token of whoever runs the platform.

    Raises:
        Gone: `link_expired`.
    """
    if session_id is not None and not await hold_session(
        session, user_id=user_id, session_id=session_id
    ):
        raise Gone(
            "The sign-in that asked for this has ended. Ask for a new link.", code="link_expired"
        )
