"""A mail's token is taken once, in time, and of two requests by one."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.auth import MailKind
from domain.errors import FansworldError, Gone, Invalid
from domain.mails import mail_token
from infra.db import async_transaction
from infra.ids import new_id
from infra.models import Mail
from infra.queries.auth.mails import take_mail_token, write_mail
from tests.harness.rows import MakeUser

KEY = bytes(range(32))
KIND = MailKind.RESET_PASSWORD
NOW = datetime.now(UTC)


async def written(engine: AsyncEngine, make_user: MakeUser) -> str:
    async with async_transaction(engine) as session:
        mail = await write_mail(
            session,
            user_id=make_user().id,
            kind=KIND,
            address="mia@example.com",
            expires_at=NOW + timedelta(hours=1),
        )
    return mail.id


async def take(engine: AsyncEngine, mail_id: str, *, now: datetime = NOW) -> Mail:
    token = mail_token(mail_id, kind=KIND, key=KEY)
    async with async_transaction(engine) as session:
        return await take_mail_token(session, token=token, kind=KIND, key=KEY, now=now)


async def test_a_token_counts_once(async_engine: AsyncEngine, make_user: MakeUser) -> None:
    mail_id = await written(async_engine, make_user)
    mail = await take(async_engine, mail_id)
    assert (mail.id, mail.address, mail.used_at) == (mail_id, "mia@example.com", NOW)
    with pytest.raises(Gone) as caught:
        await take(async_engine, mail_id)
    assert caught.value.code == "link_used"


async def test_of_two_requests_one_takes_it(async_engine: AsyncEngine, make_user: MakeUser) -> None:
    mail_id = await written(async_engine, make_user)
    taken = await asyncio.gather(
        *(take(async_engine, mail_id) for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(each, Mail) for each in taken) == 1
    refused = [each.code for each in taken if isinstance(each, FansworldError)]
    assert refused == ["link_used"] * 4


async def test_a_token_has_its_time(async_engine: AsyncEngine, make_user: MakeUser) -> None:
    mail_id = await written(async_engine, make_user)
    with pytest.raises(Gone) as caught:
        await take(async_engine, mail_id, now=NOW + timedelta(hours=1))
    assert caught.value.code == "link_expired"
    assert (await take(async_engine, mail_id, now=NOW + timedelta(minutes=59))).id == mail_id


async def test_a_mail_that_was_removed_opens_nothing(async_engine: AsyncEngine) -> None:
    with pytest.raises(Invalid) as caught:
        await take(async_engine, new_id())
    assert caught.value.code == "link_invalid"
