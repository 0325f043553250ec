"""Routes that prove anew, inside a session, who its holder is."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, BackgroundTasks, Request
from sqlalchemy.ext.asyncio import AsyncSession

from api import API_PREFIX
from api.auth.callers import SignedIn, SignedInCaller
from api.auth.factor_schemas import (
    AssertionBegun,
    FactorsBody,
    StepUpBody,
    StepUpRequest,
)
from api.auth.origin import RequestOrigin
from api.auth.proving import Proof, prove_factor, request_options, send_notice
from api.contract.limits import limit_sign_in
from api.parts import ApiParts, Parts
from api.problems import PROBLEMS
from domain.auth import ChallengeKind, Origin
from domain.errors import AccessDenied, Conflict
from domain.factors import METHOD_OF, AuthMethod, Factor
from infra.db import async_transaction
from infra.models import AuthSession, User
from infra.queries.auth.challenges import open_challenge, take_challenge
from infra.queries.auth.factors import factors_of, second_factor_methods
from infra.queries.auth.journal import note_own_act
from infra.queries.callers import load_caller

router = APIRouter(prefix=f"{API_PREFIX}/auth", tags=["factors"], responses=PROBLEMS)


@router.get("/factors", operation_id="getFactors")
async def factors(caller: SignedInCaller, parts: ApiParts) -> FactorsBody:
    """What the caller's account may be signed in to with."""
    found = await factors_of(parts.reads, caller.caller)
    return FactorsBody(
        has_password=found.has_password,
        has_totp=found.has_totp,
        passkeys=found.passkeys,
        recovery_codes_left=found.recovery_codes_left,
        asks_for_second_factor=found.asks_for_second_factor,
    )


@router.post("/step-up/options", operation_id="getStepUpOptions")
async def step_up_options(caller: SignedInCaller, parts: ApiParts) -> AssertionBegun:
    """What a browser needs to step up with a passkey. 409 `no_passkey` where there is none."""
    session_id = _session_of(caller)
    async with async_transaction(parts.engine) as session:
        user = await load_caller(session, caller.caller)
        if Factor.PASSKEY not in await second_factor_methods(session, user.id):
            raise Conflict("This account has no passkey.", code="no_passkey")
        opened = await open_challenge(
            session,
            kind=ChallengeKind.PASSKEY_STEP_UP,
            user_id=user.id,
            session_id=session_id,
            now=parts.now(),
        )
        options = await request_options(parts, session, user.id, challenge=opened.challenge)
    return AssertionBegun(challenge_id=opened.id, public_key=options)


@router.post("/step-up", operation_id="stepUp")
async def step_up(
    request: Request,
    given: StepUpRequest,
    background: BackgroundTasks,
    caller: SignedInCaller,
    parts: ApiParts,
    origin: RequestOrigin,
) -> StepUpBody:
    """Prove that it is still you who holds this session, for what needs a fresh proof.

    With the second factor, where the account has one (else 403 `second_factor_required`): a
    code, a recovery code or a passkey. With the password, where it has none. What is wrong is
    403 `proof_refused`.
    """
    session_id = _session_of(caller)
    tries = await limit_sign_in(request, parts, account=caller.user_id)
    right_hash = None
    if given.password is not None:
        password = given.password.get_secret_value()
        right_hash = await _hash_if_right(parts, caller, password)
    now = parts.now()
    async with async_transaction(parts.engine) as session:
        if given.password is None:
            proof = await _prove_factor(parts, session, caller, given, origin)
        else:
            proof = await _prove_password(session, caller, right_hash, origin)
        if proof.user is not None:
            row = await session.get_one(AuthSession, session_id, with_for_update=True)
            row.proved_at = now
            if proof.factor is not None:
                row.second_factor_at = now
                added = [METHOD_OF[proof.factor], AuthMethod.MULTIPLE]
                row.methods = list(dict.fromkeys([*row.methods, *added]))
            how = proof.factor or AuthMethod.PASSWORD
            await note_own_act(
                session, proof.user, "session.stepped_up", origin, session_id=session_id, by=how
            )
    if proof.user is None:
        await send_notice(parts, proof)
        raise AccessDenied("That does not prove it.", code="proof_refused")
    await tries.succeeded()
    background.add_task(send_notice, parts, proof)
    return StepUpBody(
        fresh_until=now + timedelta(seconds=parts.settings.step_up_ttl_seconds),
        has_second_factor=row.second_factor_at is not None,
    )


async def _hash_if_right(parts: Parts, caller: SignedIn, password: str) -> str | None:
    """The stored hash of this password, if it is the caller's. Outside of any transaction that
    writes: it takes long on purpose."""
    async with async_transaction(parts.engine) as session:
        user = await load_caller(session, caller.caller)
        await _require_no_factor(session, user)
    verified = await parts.passwords.verify(user.password_hash, password)
    return user.password_hash if verified.matches else None


async def _prove_password(
    session: AsyncSession, caller: SignedIn, right_hash: str | None, origin: Origin
) -> Proof:
    """It proves as long as it is still the password, and still all that the account has."""
    user = await load_caller(session, caller.caller, lock=True)
    await _require_no_factor(session, user)
    if right_hash is not None and right_hash == user.password_hash:
        return Proof(user)
    await note_own_act(session, user, "step_up.refused", origin, session_id=caller.session_id)
    return Proof(None)


async def _require_no_factor(session: AsyncSession, user: User) -> None:
    methods = await second_factor_methods(session, user.id)
    if methods:
        raise AccessDenied(
            "This account has a second factor. Prove it with that.",
            code="second_factor_required",
            methods=" ".join(methods),
        )


async def _prove_factor(
    parts: Parts, session: AsyncSession, caller: SignedIn, given: StepUpRequest, origin: Origin
) -> Proof:
    # The account before its factors, as who takes them away does.
    user = await load_caller(session, caller.caller, lock=True)
    challenge = None
    if given.challenge_id is not None:
        challenge = await take_challenge(
            session,
            str(given.challenge_id),
            kind=ChallengeKind.PASSKEY_STEP_UP,
            user_id=user.id,
            session_id=caller.session_id,
            now=parts.now(),
        )
    return await prove_factor(
        parts,
        session,
        user,
        given,
        challenge=challenge,
        origin=origin,
        session_id=caller.session_id,
    )


def _session_of(caller: SignedIn) -> str:
    if caller.session_id is None:
        raise AccessDenied(
            "This token belongs to no sign-in; it proves all that it can by itself.",
            code="token_without_session",
        )
    return caller.session_id
