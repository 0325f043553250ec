"""Routes of somebody's own passkeys."""

from __future__ import annotations

from typing import get_args
from uuid import UUID

import structlog
from fastapi import APIRouter, BackgroundTasks

from api import API_PREFIX
from api.auth.callers import SignedInCaller
from api.auth.changing_factors import begin_change
from api.auth.factor_schemas import (
    CreationOptions,
    PasskeyAdded,
    PasskeyBody,
    PasskeyList,
    PasskeyPatch,
    PasskeyRegistration,
    RegistrationBegun,
    RelyingPartyEntity,
    Transport,
    UserEntity,
    base64url,
)
from api.auth.origin import RequestOrigin
from api.auth.proving import descriptor_of
from api.auth.standing import FreshCaller
from api.parts import ApiParts, Parts
from api.problems import PROBLEMS
from domain.auth import ChallengeKind
from domain.errors import Invalid
from domain.mails import SecurityEvent
from infra.db import async_transaction
from infra.models import Passkey
from infra.queries.auth.challenges import open_challenge, take_challenge
from infra.queries.auth.passkeys import (
    ListedPasskey,
    add_passkey,
    list_passkeys,
    own_passkey,
    passkeys_of,
    user_handle,
)
from infra.queries.auth.passkeys import remove_passkey as remove_row
from infra.queries.callers import CallerStanding, load_caller
from infra.webauthn import NAME, NewCredential, PasskeyRefused

router = APIRouter(prefix=f"{API_PREFIX}/auth/passkeys", tags=["factors"], responses=PROBLEMS)
log = structlog.get_logger(__name__)


@router.get("", operation_id="listPasskeys")
async def list_own_passkeys(caller: SignedInCaller, parts: ApiParts) -> PasskeyList:
    """The caller's passkeys, all of them."""
    listed = await list_passkeys(parts.reads, caller.caller)
    return PasskeyList(data=[_body(each) for each in listed])


@router.post("/options", operation_id="getPasskeyOptions")
async def registration_options(caller: FreshCaller, parts: ApiParts) -> RegistrationBegun:
    """What a browser needs to make a passkey: `navigator.credentials.create()`. Needs a fresh
    proof."""
    async with async_transaction(parts.engine) as session:
        user = await load_caller(session, caller.caller)
        opened = await open_challenge(
            session,
            kind=ChallengeKind.PASSKEY_REGISTRATION,
            user_id=user.id,
            session_id=caller.session_id,
            now=parts.now(),
        )
        known = await passkeys_of(session, user.id)
    options = CreationOptions(
        rp=RelyingPartyEntity(id=parts.relying_party.id, name=NAME),
        user=UserEntity(
            id=base64url(user_handle(user.id)), name=user.handle, displayName=user.display_name
        ),
        challenge=base64url(opened.challenge),
        excludeCredentials=[descriptor_of(each) for each in known],
    )
    return RegistrationBegun(challenge_id=opened.id, public_key=options)


@router.post("", operation_id="addPasskey", status_code=201)
async def register_passkey(
    request: PasskeyRegistration,
    background: BackgroundTasks,
    caller: FreshCaller,
    parts: ApiParts,
    origin: RequestOrigin,
) -> PasskeyAdded:
    """Keep a passkey that a browser has made. Needs a fresh proof.

    It signs in alone, if the device verifies its holder, and else as a second factor: from
    now on a password alone does not sign in any more.
    """
    credential = await _attested(parts, caller, request)
    transports = [
        each for each in get_args(Transport) if each in request.credential.response.transports
    ]
    async with async_transaction(parts.engine) as session:
        change = await begin_change(parts, session, caller, origin)
        passkey = await add_passkey(
            session,
            user_id=caller.user_id,
            name=request.name,
            credential=credential,
            transports=transports,
            now=parts.now(),
        )
        codes, ended = await change.added("passkey", passkey_id=passkey.id)
        await change.tell(SecurityEvent.PASSKEY_ADDED, background)
    return PasskeyAdded(passkey=_body(passkey), recovery_codes=codes, sessions_ended=ended)


async def _attested(
    parts: Parts, caller: CallerStanding, request: PasskeyRegistration
) -> NewCredential:
    """The challenge is used up first, by itself: no answer may be tried twice.

    Raises:
        Gone: `challenge_over`.
        Invalid: `passkey_refused`.
    """
    async with async_transaction(parts.engine) as session:
        user = await load_caller(session, caller.caller)
        challenge = await take_challenge(
            session,
            str(request.challenge_id),
            kind=ChallengeKind.PASSKEY_REGISTRATION,
            user_id=user.id,
            session_id=caller.session_id,
            now=parts.now(),
        )
    try:
        return parts.relying_party.check_registration(
            request.credential.attested(), challenge=challenge
        )
    except PasskeyRefused as error:
        log.info("passkey_refused", why=str(error))
        raise Invalid(
            "This passkey was made for another site or another request, or is of a kind that "
            "is not known here.",
            code="passkey_refused",
        ) from None


@router.patch("/{passkey_id}", operation_id="renamePasskey")
async def rename_passkey(
    passkey_id: UUID, patch: PasskeyPatch, caller: SignedInCaller, parts: ApiParts
) -> PasskeyBody:
    """Give a passkey another name. The name is all there is to edit, so it needs no ETag."""
    async with async_transaction(parts.engine) as session:
        user = await load_caller(session, caller.caller)
        passkey = await own_passkey(session, user_id=user.id, passkey_id=str(passkey_id))
        passkey.name = patch.name
    return _body(passkey)


@router.delete("/{passkey_id}", operation_id="removePasskey", status_code=204)
async def remove_passkey(
    passkey_id: UUID,
    background: BackgroundTasks,
    caller: FreshCaller,
    parts: ApiParts,
    origin: RequestOrigin,
) -> None:
    """Forget a passkey. Needs a fresh proof. Of an account without a password the last one
    stays (409 `last_way_in`)."""
    async with async_transaction(parts.engine) as session:
        change = await begin_change(parts, session, caller, origin)
        await remove_row(session, user=change.user, passkey_id=str(passkey_id))
        await change.removed("passkey", passkey_id=str(passkey_id))
        await change.tell(SecurityEvent.PASSKEY_REMOVED, background)


def _body(passkey: Passkey | ListedPasskey) -> PasskeyBody:
    return PasskeyBody(
        id=passkey.id,
        name=passkey.name,
        transports=passkey.transports,
        backed_up=passkey.backed_up,
        created_at=passkey.created_at,
        last_used_at=passkey.last_used_at,
    )
