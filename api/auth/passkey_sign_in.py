"""Routes of signing in by a passkey alone."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api import API_PREFIX
from api.auth.answering import answer_signed_in
from api.auth.factor_schemas import AssertionBegun, PasskeySignIn, RequestOptions, base64url
from api.auth.origin import RequestOrigin
from api.auth.proving import prove_passkey, send_notice
from api.auth.schemas import SignedInBody
from api.auth.signing_in import begin_signed_in, require_open
from api.contract.limits import limit_sign_in
from api.parts import ApiParts
from api.problems import PROBLEMS
from domain.auth import ChallengeKind
from domain.errors import AccessDenied, FansworldError, Unauthenticated
from domain.factors import AuthMethod
from infra.db import async_transaction
from infra.queries.auth.challenges import open_challenge, take_challenge
from infra.queries.auth.passkeys import hold_owner

router = APIRouter(prefix=f"{API_PREFIX}/auth/passkeys/sign-in", tags=["auth"], responses=PROBLEMS)


@router.post("/options", operation_id="getPasskeySignInOptions")
async def sign_in_options(parts: ApiParts) -> AssertionBegun:
    """What a browser needs to sign in by a passkey: `navigator.credentials.get()`.

    Nobody is named and no passkey is: the device knows its own, and offers them.
    """
    async with async_transaction(parts.engine) as session:
        opened = await open_challenge(session, kind=ChallengeKind.PASSKEY_SIGN_IN, now=parts.now())
    options = RequestOptions(
        challenge=base64url(opened.challenge),
        rpId=parts.relying_party.id,
        allowCredentials=[],
        userVerification="required",
    )
    return AssertionBegun(challenge_id=opened.id, public_key=options)


@router.post("", operation_id="signInWithPasskey")
async def sign_in_with_passkey(
    request: Request,
    given: PasskeySignIn,
    response: Response,
    parts: ApiParts,
    origin: RequestOrigin,
) -> SignedInBody:
    """Sign in by a passkey alone. It counts as both factors, since the device has verified its
    holder and holds the key. Whatever is wrong with it is 401 `passkey_refused`."""
    tries = await limit_sign_in(request, parts)
    now, begun = parts.now(), None
    refusal: FansworldError = Unauthenticated(
        "This passkey does not sign in here.", code="passkey_refused"
    )
    async with async_transaction(parts.engine) as session:
        challenge = await take_challenge(
            session, str(given.challenge_id), kind=ChallengeKind.PASSKEY_SIGN_IN, now=now
        )
        answer = given.credential.asserted()
        # So that nobody signs in to what is being shut.
        await hold_owner(session, answer.credential_id)
        proof = await prove_passkey(
            parts,
            session,
            answer,
            challenge=challenge,
            user=None,
            origin=origin,
        )
        user = proof.user
        try:
            if user is not None and user.deleted_at is None:
                require_open(user)
                begun = await begin_signed_in(
                    parts,
                    session,
                    user,
                    mode=given.mode,
                    methods=[AuthMethod.KEY, AuthMethod.MULTIPLE],
                    origin=origin,
                    now=now,
                    second_factor_at=now,
                )
        except AccessDenied as error:
            # The challenge and the counter were used: that stays.
            refusal = error
    if begun is None:
        await send_notice(parts, proof)
        raise refusal
    await tries.succeeded()
    return answer_signed_in(parts, response, begun)
