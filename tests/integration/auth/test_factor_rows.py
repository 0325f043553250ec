"""Challenges, codes and passkeys in rows: each counts once, however many ask at once."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from domain.auth import ChallengeKind
from domain.errors import Conflict, Gone, Invalid, NotFound, QuotaExceeded
from domain.factors import CODE_ATTEMPTS_MAX, PASSKEYS_MAX, RECOVERY_CODES, Factor
from infra.db import async_transaction
from infra.ids import new_id
from infra.keyring import KeyRing
from infra.models import AuthChallenge, AuthSession, Passkey, RecoveryCode, TotpSecret, User
from infra.queries.auth.challenges import begin_attempt, open_challenge, take_challenge
from infra.queries.auth.factors import forget_factors, second_factor_methods
from infra.queries.auth.passkeys import add_passkey, passkeys_of, remove_passkey
from infra.queries.auth.totp import (
    begin_totp,
    confirm_totp,
    count_recovery_codes,
    remove_totp,
    renew_recovery_codes,
    take_code,
    take_recovery_code,
)
from infra.settings import Settings
from infra.totp import STEP_SECONDS, code_at
from infra.webauthn import NewCredential
from tests.harness.rows import MakeUser

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
STEP = timedelta(seconds=STEP_SECONDS)
AT_ONCE = 6


@pytest.fixture
def keys(settings: Settings) -> KeyRing:
    return KeyRing(settings.account_master_keys)


@pytest.fixture
def user(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
async def begun(engine: Engine, async_engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
    """A transaction that is rolled back before the tables are emptied, as its locks demand."""
    del engine
    async with AsyncSession(async_engine, expire_on_commit=False) as session:
        yield session


async def outcomes(
    engine: AsyncEngine, ask: Callable[[AsyncSession], Awaitable[object]], *, times: int = AT_ONCE
) -> list[object]:
    """What as many transactions get that ask for the same at the same time."""

    async def once() -> object:
        async with async_transaction(engine) as session:
            return await ask(session)

    return await asyncio.gather(*(once() for _ in range(times)), return_exceptions=True)


async def set_up(engine: AsyncEngine, user: User, keys: KeyRing) -> bytes:
    """Confirmed by the code of the step before `NOW`."""
    async with async_transaction(engine) as session:
        secret = await begin_totp(session, user_id=user.id, keys=keys, now=NOW)
        code = code_at(secret, NOW - STEP)
        await confirm_totp(session, user_id=user.id, code=code, keys=keys, now=NOW)
    return secret


def credential(credential_id: bytes | None = None) -> NewCredential:
    return NewCredential(credential_id or os.urandom(16), b"key", sign_count=0, backed_up=False)


async def test_a_challenge_is_taken_once_by_however_many(
    async_engine: AsyncEngine, user: User
) -> None:
    kind = ChallengeKind.PASSKEY_REGISTRATION
    async with async_transaction(async_engine) as session:
        opened = await open_challenge(session, kind=kind, user_id=user.id, now=NOW)
    got = await outcomes(
        async_engine,
        lambda session: take_challenge(session, opened.id, kind=kind, user_id=user.id, now=NOW),
    )
    assert got.count(opened.challenge) == 1
    assert sum(isinstance(each, Gone) for each in got) == AT_ONCE - 1


async def test_a_challenge_serves_only_what_and_whom_it_was_opened_for(
    begun: AsyncSession, async_engine: AsyncEngine, make_user: MakeUser
) -> None:
    user, other = make_user(), make_user()
    kind = ChallengeKind.PASSKEY_REGISTRATION
    async with async_transaction(async_engine) as session:
        opened = await open_challenge(session, kind=kind, user_id=user.id, now=NOW)
    in_time, too_late = NOW + timedelta(seconds=299), NOW + timedelta(seconds=300)
    wrong = [
        (ChallengeKind.PASSKEY_STEP_UP, user.id, in_time),
        (ChallengeKind.PASSKEY_SIGN_IN, None, in_time),
        (kind, other.id, in_time),
        (kind, None, in_time),
        (kind, user.id, too_late),
    ]
    for other_kind, user_id, now in wrong:
        with pytest.raises(Gone, match="Begin again"):
            await take_challenge(begun, opened.id, kind=other_kind, user_id=user_id, now=now)
    with pytest.raises(Gone):
        await take_challenge(begun, new_id(), kind=kind, user_id=user.id, now=NOW)
    taken = await take_challenge(begun, opened.id, kind=kind, user_id=user.id, now=in_time)
    assert taken == opened.challenge


async def test_a_second_factor_may_be_tried_five_times_and_no_more_at_once(
    async_engine: AsyncEngine, user: User
) -> None:
    async with async_transaction(async_engine) as session:
        opened = await open_challenge(
            session, kind=ChallengeKind.SECOND_FACTOR, user_id=user.id, now=NOW
        )
    got = await outcomes(
        async_engine,
        lambda session: begin_attempt(session, opened.id, now=NOW),
        times=CODE_ATTEMPTS_MAX + 3,
    )
    assert sum(isinstance(each, AuthChallenge) for each in got) == CODE_ATTEMPTS_MAX
    assert sum(isinstance(each, Gone) for each in got) == 3


async def test_a_secret_counts_once_it_is_confirmed(
    async_engine: AsyncEngine, user: User, keys: KeyRing
) -> None:
    async with async_transaction(async_engine) as session:
        secret = await begin_totp(session, user_id=user.id, keys=keys, now=NOW)
        code = code_at(secret, NOW)
        assert not await take_code(session, user_id=user.id, code=code, keys=keys, now=NOW)
        assert await second_factor_methods(session, user.id) == ()
        with pytest.raises(Invalid, match="clock"):
            await confirm_totp(session, user_id=user.id, code="000000", keys=keys, now=NOW)
        await confirm_totp(session, user_id=user.id, code=code, keys=keys, now=NOW)
        assert await second_factor_methods(session, user.id) == (Factor.TOTP,)
        with pytest.raises(Conflict) as again:
            await begin_totp(session, user_id=user.id, keys=keys, now=NOW)
        assert again.value.code == "totp_already_set_up"


async def test_a_second_beginning_replaces_the_first(
    begun: AsyncSession, user: User, keys: KeyRing
) -> None:
    first = await begin_totp(begun, user_id=user.id, keys=keys, now=NOW)
    second = await begin_totp(begun, user_id=user.id, keys=keys, now=NOW)
    with pytest.raises(Invalid):
        await confirm_totp(begun, user_id=user.id, code=code_at(first, NOW), keys=keys, now=NOW)
    await confirm_totp(begun, user_id=user.id, code=code_at(second, NOW), keys=keys, now=NOW)


async def test_a_secret_is_not_stored_as_it_is(
    async_engine: AsyncEngine, user: User, keys: KeyRing
) -> None:
    secret = await set_up(async_engine, user, keys)
    async with async_transaction(async_engine) as session:
        row = await session.get_one(TotpSecret, user.id)
    assert secret not in row.secret_wrapped
    assert keys.unwrap(row.key_id, row.secret_wrapped) == secret


async def test_a_secret_moves_to_the_new_master_key_when_it_is_used(
    async_engine: AsyncEngine, user: User, keys: KeyRing, settings: Settings
) -> None:
    secret = await set_up(async_engine, user, keys)
    new_key = SecretStr(base64.b64encode(os.urandom(32)).decode())
    rotated = KeyRing({"new": new_key, **settings.account_master_keys})
    async with async_transaction(async_engine) as session:
        code = code_at(secret, NOW)
        assert await take_code(session, user_id=user.id, code=code, keys=rotated, now=NOW)
    async with async_transaction(async_engine) as session:
        row = await session.get_one(TotpSecret, user.id)
    assert row.key_id == "new"
    assert KeyRing({"new": new_key}).unwrap(row.key_id, row.secret_wrapped) == secret


async def test_one_code_lets_one_of_many_in(
    async_engine: AsyncEngine, user: User, keys: KeyRing
) -> None:
    secret = await set_up(async_engine, user, keys)
    code = code_at(secret, NOW)
    got = await outcomes(
        async_engine,
        lambda session: take_code(session, user_id=user.id, code=code, keys=keys, now=NOW),
    )
    assert sorted(map(bool, got)) == [False] * (AT_ONCE - 1) + [True]


async def test_the_code_that_confirmed_does_not_sign_in(
    async_engine: AsyncEngine, user: User, keys: KeyRing
) -> None:
    secret = await set_up(async_engine, user, keys)
    async with async_transaction(async_engine) as session:
        code = code_at(secret, NOW - STEP)
        assert not await take_code(session, user_id=user.id, code=code, keys=keys, now=NOW)


async def test_somebody_elses_code_is_none(
    async_engine: AsyncEngine, make_user: MakeUser, keys: KeyRing
) -> None:
    user, other = make_user(), make_user()
    await set_up(async_engine, user, keys)
    code = code_at(await set_up(async_engine, other, keys), NOW)
    async with async_transaction(async_engine) as session:
        assert not await take_code(session, user_id=user.id, code=code, keys=keys, now=NOW)


async def test_codes_are_removed_once(async_engine: AsyncEngine, user: User, keys: KeyRing) -> None:
    await set_up(async_engine, user, keys)
    async with async_transaction(async_engine) as session:
        await remove_totp(session, user_id=user.id)
        assert await second_factor_methods(session, user.id) == ()
        with pytest.raises(NotFound):
            await remove_totp(session, user_id=user.id)


async def test_a_recovery_code_lets_one_of_many_in(async_engine: AsyncEngine, user: User) -> None:
    async with async_transaction(async_engine) as session:
        codes = await renew_recovery_codes(session, user_id=user.id)
    assert len(set(codes)) == RECOVERY_CODES
    got = await outcomes(
        async_engine,
        lambda session: take_recovery_code(session, user_id=user.id, code=codes[0], now=NOW),
    )
    assert sorted(map(bool, got)) == [False] * (AT_ONCE - 1) + [True]
    async with async_transaction(async_engine) as session:
        assert await count_recovery_codes(session, user_id=user.id) == RECOVERY_CODES - 1
        written = (await session.scalars(select(RecoveryCode.code_hash))).all()
    assert all(code.encode() not in written for code in codes)


async def test_new_recovery_codes_end_the_old_ones(
    begun: AsyncSession, user: User, make_user: MakeUser
) -> None:
    other = make_user()
    old = await renew_recovery_codes(begun, user_id=user.id)
    new = await renew_recovery_codes(begun, user_id=user.id)
    assert not await take_recovery_code(begun, user_id=user.id, code=old[0], now=NOW)
    assert not await take_recovery_code(begun, user_id=other.id, code=new[0], now=NOW)
    assert await take_recovery_code(begun, user_id=user.id, code=new[0], now=NOW)


async def test_recovery_codes_alone_are_no_second_factor(begun: AsyncSession, user: User) -> None:
    await renew_recovery_codes(begun, user_id=user.id)
    assert await second_factor_methods(begun, user.id) == ()
    await add_passkey(
        begun,
        user_id=user.id,
        name="key",
        credential=credential(),
        transports=(),
        now=NOW,
    )
    methods = await second_factor_methods(begun, user.id)
    assert methods == (Factor.PASSKEY, Factor.RECOVERY_CODE)


async def test_when_the_last_factor_goes_its_codes_and_its_sessions_standing_go_too(
    begun: AsyncSession, user: User
) -> None:
    await renew_recovery_codes(begun, user_id=user.id)
    proved = AuthSession(
        id=new_id(), user_id=user.id, second_factor_at=NOW, expires_at=NOW + timedelta(days=1)
    )
    begun.add(proved)
    await begun.flush()
    await forget_factors(begun, user.id)
    await begun.refresh(proved)
    assert proved.second_factor_at is None
    assert await count_recovery_codes(begun, user_id=user.id) == 0


async def test_a_passkey_belongs_to_one_account_and_there_are_only_so_many(
    begun: AsyncSession, make_user: MakeUser
) -> None:
    user, other = make_user(), make_user()

    async def add(owner: User, new: NewCredential) -> Passkey:
        return await add_passkey(
            begun,
            user_id=owner.id,
            name="key",
            credential=new,
            transports=("usb",),
            now=NOW,
        )

    first = credential()
    await add(user, first)
    for owner in (user, other):
        with pytest.raises(Conflict) as known:
            await add(owner, first)
        assert known.value.code == "passkey_known"
    for _ in range(PASSKEYS_MAX - 1):
        await add(user, credential())
    with pytest.raises(QuotaExceeded):
        await add(user, credential())
    assert len(await passkeys_of(begun, user.id)) == PASSKEYS_MAX


async def test_the_last_way_into_an_account_stays(begun: AsyncSession, make_user: MakeUser) -> None:
    without, with_password = make_user(), make_user(password_hash="$argon2id$")
    for user in (without, with_password):
        for _ in range(2):
            await add_passkey(
                begun,
                user_id=user.id,
                name="key",
                credential=credential(),
                transports=(),
                now=NOW,
            )
    for user in (without, with_password):
        first, second = await passkeys_of(begun, user.id)
        await remove_passkey(begun, user=user, passkey_id=first.id)
        if user is with_password:
            await remove_passkey(begun, user=user, passkey_id=second.id)
            continue
        with pytest.raises(Conflict) as last:
            await remove_passkey(begun, user=user, passkey_id=second.id)
        assert last.value.code == "last_way_in"
        with pytest.raises(NotFound):
            await remove_passkey(begun, user=with_password, passkey_id=second.id)
