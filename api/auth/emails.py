"""Routes of moving an account to another e-mail address."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, BackgroundTasks, Request

from api import API_PREFIX
from api.auth import schemas
from api.auth.mailing import begin_mail
from api.auth.origin import RequestOrigin
from api.auth.signing_in import notify
from api.auth.standing import FreshCaller
from api.contract.limits import limit_sign_in
from api.parts import ApiParts
from api.problems import PROBLEMS
from domain.auth import MailKind
from domain.errors import Invalid
from domain.mails import SecurityEvent
from infra.db import async_transaction
from infra.queries.auth.accounts import lock_mover, move_to_address, verified_account
from infra.queries.auth.journal import note_own_act
from infra.queries.auth.mails import take_mail_token, void_mail_tokens, write_mail
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

    A link goes to the new address; until it is followed, the old one stays. The answer is the
    same where the address has an account already: a mail tells its owner. Of several wishes the
    newest counts.
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
            expires_at=now + timedelta(seconds=parts.settings.email_link_ttl_seconds),
        )
        await note_own_act(
            session, user, "email.change_asked", origin, session_id=caller.session_id
        )
    background.add_task(begin_mail, parts, mail.id)
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

    The old address is told. Links to set a new password that were mailed to it count no more.
    Where somebody else has verified the address meanwhile, the answer is 410 `link_used`.
    """
    tries = await limit_sign_in(request, parts)
    key, now = parts.settings.url_signing_key_bytes, parts.now()
    async with async_transaction(parts.engine) as session:
        user, others = await lock_mover(session, proof.token, key=key)
        mail = await take_mail_token(
            session, token=proof.token, kind=MailKind.CHANGE_EMAIL, key=key, now=now
        )
        notice = await notify(session, user, SecurityEvent.EMAIL_CHANGED, origin)
        await move_to_address(session, user, mail.address, others=others, now=now)
        await void_mail_tokens(session, user.id, MailKind.RESET_PASSWORD, now=now)
        await note_own_act(session, user, "email.changed", origin)
    await tries.succeeded()
    if notice is not None:
        background.add_task(begin_mail, parts, notice)
