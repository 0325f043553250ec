"""Second factors and passkeys held against what is stored.

A proof that fails leaves something behind: a try that was counted, a challenge that is used
up, an audit entry. So nothing here raises for it: the route commits, and then refuses.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from api.auth.factor_schemas import Descriptor, FactorProof, RequestOptions, base64url
from api.auth.mailing import begin_mail
from api.auth.signing_in import notify
from api.parts import Parts
from domain.auth import Origin
from domain.factors import Factor
from domain.mails import SecurityEvent
from infra.models import Passkey, User
from infra.queries.auth.journal import note_own_act
from infra.queries.auth.passkeys import PasskeyCopied, check_passkey, passkeys_of
from infra.queries.auth.totp import take_code, take_recovery_code
from infra.webauthn import Asserted, PasskeyRefused

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of one; `mail_id` is of a notice to be sent once it is committed."""

    user: User | None
    """Who proved it; None where it proves nothing."""
    factor: Factor | None = None
    """By what, if by a second factor."""
    mail_id: str | None = None


async def prove_factor(
    parts: Parts,
    session: AsyncSession,
    user: User,
    given: FactorProof,
    *,
    challenge: bytes | None,
    origin: Origin,
    session_id: str | None = None,
) -> Proof:
    """Take the second factor in `given`, or write down that it was refused.

    Args:
        challenge: what a passkey has to have signed.
        session_id: of a session that is already there.
    """
    factor, now, mail_id = given.factor, parts.now(), None
    assert factor is not None, "the body of the request holds one"
    if given.passkey is not None:
        assert challenge is not None
        proof = await prove_passkey(
            parts, session, given.passkey.asserted(), challenge=challenge, user=user, origin=origin
        )
        proved, mail_id = proof.user is not None, proof.mail_id
    elif given.code is not None:
        proved = await take_code(
            session, user_id=user.id, code=given.code, keys=parts.account_keys, now=now
        )
    else:
        assert given.recovery_code is not None
        proved = await take_recovery_code(
            session, user_id=user.id, code=given.recovery_code, now=now
        )
        if proved:
            await note_own_act(session, user, "recovery_code.used", origin, session_id=session_id)
            mail_id = await notify(session, user, SecurityEvent.RECOVERY_CODE_USED, origin)
    if not proved:
        await note_own_act(
            session, user, "second_factor.refused", origin, session_id=session_id, factor=factor
        )
        return Proof(None, mail_id=mail_id)
    return Proof(user, factor, mail_id)


async def prove_passkey(
    parts: Parts,
    session: AsyncSession,
    answer: Asserted,
    *,
    challenge: bytes,
    user: User | None,
    origin: Origin,
) -> Proof:
    """Whose passkey signed the challenge.

    Args:
        user: who has signed in so far; None where the passkey is all there is. Then it has to
            be two factors in one: the device has verified its holder.
    """
    try:
        passkey = await check_passkey(
            session,
            parts.relying_party,
            answer,
            challenge=challenge,
            now=parts.now(),
            user_id=user.id if user else None,
            user_verification=user is None,
        )
    except PasskeyCopied as error:
        owner = await session.get_one(User, error.passkey.user_id)
        await note_own_act(session, owner, "passkey.copied", origin, passkey_id=error.passkey.id)
        mail_id = await notify(session, owner, SecurityEvent.PASSKEY_COPIED, origin)
        return Proof(None, mail_id=mail_id)
    except PasskeyRefused as error:
        log.info("passkey_refused", why=str(error), ip=origin.ip)
        return Proof(None)
    return Proof(await session.get_one(User, passkey.user_id), Factor.PASSKEY)


async def request_options(
    parts: Parts, session: AsyncSession, user_id: str, *, challenge: bytes
) -> RequestOptions:
    """For a passkey of somebody who is known already: any of theirs, verified or not."""
    return RequestOptions(
        challenge=base64url(challenge),
        rpId=parts.relying_party.id,
        allowCredentials=[descriptor_of(each) for each in await passkeys_of(session, user_id)],
        userVerification="preferred",
    )


def descriptor_of(passkey: Passkey) -> Descriptor:
    return Descriptor(id=base64url(passkey.credential_id), transports=passkey.transports)


async def send_notice(parts: Parts, proof: Proof) -> None:
    """After the commit. Await it where the proof is refused: what answers with an error drops
    background tasks."""
    if proof.mail_id is not None:
        await begin_mail(parts, proof.mail_id)
