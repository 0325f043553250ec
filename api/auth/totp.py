"""Routes of authenticator apps and recovery codes. Each needs a fresh proof."""

from __future__ import annotations

from fastapi import APIRouter, BackgroundTasks

from api import API_PREFIX
from api.auth.changing_factors import begin_change
from api.auth.factor_schemas import (
    FactorAdded,
    RecoveryCodesBody,
    TotpBegun,
    TotpConfirmation,
)
from api.auth.origin import RequestOrigin
from api.auth.standing import FreshCaller
from api.parts import ApiParts
from api.problems import PROBLEMS
from domain.errors import Conflict
from domain.mails import SecurityEvent
from infra.db import async_transaction
from infra.queries.auth.totp import begin_totp as begin_secret
from infra.queries.auth.totp import confirm_totp as confirm_secret
from infra.queries.auth.totp import remove_totp as remove_secret
from infra.queries.callers import load_caller
from infra.totp import otpauth_uri, secret_text

router = APIRouter(prefix=f"{API_PREFIX}/auth", tags=["factors"], responses=PROBLEMS)


@router.post("/totp", operation_id="beginTotp")
async def begin_totp(caller: FreshCaller, parts: ApiParts) -> TotpBegun:
    """Ask for a secret for an authenticator app. It counts once `POST /auth/totp/confirm` has
    brought a code of it; asking again replaces it."""
    async with async_transaction(parts.engine) as session:
        user = await load_caller(session, caller.caller, lock=True)
        secret = await begin_secret(
            session, user_id=user.id, keys=parts.account_keys, now=parts.now()
        )
    return TotpBegun(
        secret=secret_text(secret), otpauth_uri=otpauth_uri(secret, account=user.handle)
    )


@router.post("/totp/confirm", operation_id="confirmTotp")
async def confirm_totp(
    request: TotpConfirmation,
    background: BackgroundTasks,
    caller: FreshCaller,
    parts: ApiParts,
    origin: RequestOrigin,
) -> FactorAdded:
    """Let the authenticator app count, by a code that it shows now. From now on a password
    alone does not sign in any more."""
    async with async_transaction(parts.engine) as session:
        change = await begin_change(parts, session, caller, origin)
        await confirm_secret(
            session,
            user_id=caller.user_id,
            code=request.code,
            keys=parts.account_keys,
            now=parts.now(),
        )
        codes, ended = await change.added("totp")
        await change.tell(SecurityEvent.TOTP_ADDED, background)
    return FactorAdded(recovery_codes=codes, sessions_ended=ended)


@router.delete("/totp", operation_id="removeTotp", status_code=204)
async def remove_totp(
    background: BackgroundTasks, caller: FreshCaller, parts: ApiParts, origin: RequestOrigin
) -> None:
    """Forget the authenticator app. With the last second factor the recovery codes go, too."""
    async with async_transaction(parts.engine) as session:
        change = await begin_change(parts, session, caller, origin)
        await remove_secret(session, user_id=caller.user_id)
        await change.removed("totp")
        await change.tell(SecurityEvent.TOTP_REMOVED, background)


@router.post("/recovery-codes", operation_id="renewRecoveryCodes")
async def renew_recovery_codes(
    background: BackgroundTasks, caller: FreshCaller, parts: ApiParts, origin: RequestOrigin
) -> RecoveryCodesBody:
    """New recovery codes, in place of all old ones."""
    async with async_transaction(parts.engine) as session:
        change = await begin_change(parts, session, caller, origin)
        if not change.had_factors:
            raise Conflict(
                "There is no second factor that they could stand in for.",
                code="no_second_factor",
            )
        codes = await change.renewed_codes()
        await change.tell(SecurityEvent.RECOVERY_CODES_RENEWED, background)
    return RecoveryCodesBody(recovery_codes=codes)
