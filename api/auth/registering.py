"""Routes of new accounts: register, and show that an address is one's own.

None of the answers tells whether an address is known. Its owner learns it, by mail.
"""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, BackgroundTasks, Request

from api import API_PREFIX
from api.auth import schemas
from api.auth.mailing import MAIL_PAUSE, begin_mail, mail_link
from api.auth.origin import RequestOrigin
from api.contract.limits import limit_sign_in
from api.parts import ApiParts
from api.problems import PROBLEMS
from domain.accounts import check_handle
from domain.auth import MailKind, own_words
from domain.errors import Gone
from domain.mails import link_invalid
from infra.db import async_transaction
from infra.models import User
from infra.queries.auth.accounts import (
    lock_claimants,
    newest_unverified,
    register,
    remove_unverified,
    was_mailed_lately,
)
from infra.queries.auth.journal import note_own_act
from infra.queries.auth.mails import take_mail_token, write_mail

router = APIRouter(prefix=f"{API_PREFIX}/auth", tags=["auth"], responses=PROBLEMS)


@router.post("/register", operation_id="register", status_code=202)
async def register_account(
    request: Request,
    wish: schemas.RegisterRequest,
    background: BackgroundTasks,
    parts: ApiParts,
    origin: RequestOrigin,
) -> schemas.MailedBody:
    """Make an account. It can be used once its e-mail address is verified.

    The answer is the same where the address has an account already: a mail tells its owner, at
    most once a minute. A handle that is taken is refused with 409, which is no secret.
    """
    await limit_sign_in(request, parts, account=wish.email, by_strangers=True)
    check_handle(wish.handle)
    display_name = wish.display_name or wish.handle
    words = own_words(handle=wish.handle, email=wish.email, display_name=display_name)
    password_hash = await parts.passwords.hash_new(
        wish.password.get_secret_value(), own_words=words
    )
    now = parts.now()
    async with async_transaction(parts.engine) as session:
        user, known = await register(
            session,
            handle=wish.handle,
            email=wish.email,
            display_name=display_name,
            password_hash=password_hash,
            now=now,
        )
        owner = known or user
        kind = MailKind.ALREADY_REGISTERED if known else MailKind.VERIFY_EMAIL
        mail = None
        if not await was_mailed_lately(session, owner.id, kind, now=now, within=MAIL_PAUSE):
            mail = await write_mail(
                session,
                user_id=owner.id,
                kind=kind,
                address=owner.email or wish.email,
                expires_at=now + timedelta(seconds=parts.settings.email_link_ttl_seconds),
            )
        await note_own_act(session, user, "user.registered", origin)
    if mail is not None:
        # After the answer, so that it takes as long whatever is known of the address.
        background.add_task(begin_mail, parts, mail.id)
    return schemas.MailedBody()


@router.post("/verify-email", operation_id="verifyEmail", status_code=204)
async def verify_email(
    request: Request, proof: schemas.VerifyEmailRequest, parts: ApiParts, origin: RequestOrigin
) -> None:
    """Show by the token from the mail that an address is one's own. Signs nobody in.

    The first account that verifies an address keeps it. Others that named it are removed.
    """
    tries = await limit_sign_in(request, parts)
    key, now = parts.settings.url_signing_key_bytes, parts.now()
    async with async_transaction(parts.engine) as session:
        claimants = await lock_claimants(session, proof.token, key=key)
        mail = await take_mail_token(
            session, token=proof.token, kind=MailKind.VERIFY_EMAIL, key=key, now=now
        )
        user = _claimant(claimants, mail.user_id)
        user.email_verified_at = user.updated_at = now
        await session.flush()
        await remove_unverified(session, [each for each in claimants if each is not user])
        await note_own_act(session, user, "email.verified", origin)
    await tries.succeeded()


def _claimant(claimants: list[User], user_id: str) -> User:
    """The account that the link is for, if the address may still become its own."""
    if any(each.email_verified_at is not None for each in claimants):
        raise Gone("This address is verified already.", code="link_used")
    for user in claimants:
        if user.id == user_id:
            return user
    raise link_invalid()


@router.post("/verify-email/resend", operation_id="resendVerification", status_code=202)
async def resend(
    request: Request, wish: schemas.EmailRequest, background: BackgroundTasks, parts: ApiParts
) -> schemas.MailedBody:
    """Ask for the mail again that verifies an address. The answer is always the same.

    At most one mail a minute is sent.
    """
    await limit_sign_in(request, parts, account=wish.email, by_strangers=True)
    background.add_task(
        mail_link,
        parts,
        wish.email,
        find=newest_unverified,
        kind=MailKind.VERIFY_EMAIL,
        ttl_seconds=parts.settings.email_link_ttl_seconds,
    )
    return schemas.MailedBody()
