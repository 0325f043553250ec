"""Routes of the second step of a sign-in."""

from __future__ import annotations

from fastapi import APIRouter, BackgroundTasks, Request, Response
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api import API_PREFIX
from api.auth.answering import answer_signed_in
from api.auth.factor_schemas import (
    AssertionBegun,
    ChallengeRequest,
    SecondFactorRequest,
)
from api.auth.origin import RequestOrigin
from api.auth.proving import prove_factor, request_options, send_notice
from api.auth.schemas import SignedInBody
from api.auth.signing_in import begin_signed_in, require_open
from api.contract.limits import limit_sign_in
from api.parts import ApiParts
from api.problems import PROBLEMS
from domain.errors import Unauthenticated
from domain.factors import CODE_ATTEMPTS_MAX, METHOD_OF, AuthMethod
from infra.db import async_transaction
from infra.models import User
from infra.queries.auth.challenges import (
    account_of_challenge,
    begin_attempt,
    challenge_over,
    waiting_challenge,
)

router = APIRouter(
    prefix=f"{API_PREFIX}/auth/login/second-factor", tags=["auth"], responses=PROBLEMS
)


@router.post("/options", operation_id="getSecondFactorOptions")
async def second_factor_options(given: ChallengeRequest, parts: ApiParts) -> AssertionBegun:
    """What a browser needs to answer for the second factor with a passkey."""
    async with async_transaction(parts.engine) as session:
        waiting = await waiting_challenge(session, str(given.challenge_id), now=parts.now())
        options = await request_options(
            parts, session, waiting.user_id, challenge=waiting.challenge
        )
    return AssertionBegun(challenge_id=str(given.challenge_id), public_key=options)


@router.post("", operation_id="answerSecondFactor")
async def answer_second_factor(
    request: Request,
    given: SecondFactorRequest,
    response: Response,
    background: BackgroundTasks,
    parts: ApiParts,
    origin: RequestOrigin,
) -> SignedInBody:
    """Sign in with the second factor, after `POST /auth/login` has asked for it.

    A wrong one is 401 `second_factor_wrong`; after five of them, or five minutes, the password
    has to be given again (410 `challenge_over`).
    """
    challenge_id = str(given.challenge_id)
    account = await account_of_challenge(parts.reads, challenge_id)
    tries = await limit_sign_in(request, parts, account=account)
    now, begun = parts.now(), None
    async with async_transaction(parts.engine) as session:
        user = await _held_account(session, account)
        challenge = await begin_attempt(session, challenge_id, now=now)
        require_open(user)
        proof = await prove_factor(
            parts, session, user, given, challenge=challenge.challenge, origin=origin
        )
        if proof.factor is not None:
            challenge.used_at = now
            begun = await begin_signed_in(
                parts,
                session,
                user,
                mode=given.mode,
                methods=[AuthMethod.PASSWORD, METHOD_OF[proof.factor], AuthMethod.MULTIPLE],
                origin=origin,
                now=now,
                second_factor_at=now,
            )
    if begun is None:
        await send_notice(parts, proof)
        raise Unauthenticated(
            "This second factor is wrong, or was used before.",
            code="second_factor_wrong",
            attempts_left=CODE_ATTEMPTS_MAX - challenge.attempts,
        )
    await tries.succeeded()
    background.add_task(send_notice, parts, proof)
    return answer_signed_in(parts, response, begun)


async def _held_account(session: AsyncSession, user_id: str | None) -> User:
    """Whose password was right. Its row is held, so that the password is not changed meanwhile;
    before the challenge's, since who changes the password takes both in this order.

    Raises:
        Gone: `challenge_over`.
    """
    user: User | None = await session.scalar(
        select(User)
        .where(User.id == user_id, User.deleted_at.is_(None))
        .with_for_update(read=True, key_share=True)
    )
    if user is None:
        raise challenge_over()
    return user
