"""One mail to the mail server: what is taken, what is refused, and what is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.mail import SendActivities
from domain.auth import MailKind
from domain.mails import read_mail_token
from infra.db import transaction
from infra.ids import new_id
from infra.models import Mail
from infra.settings import Settings
from tests.harness.rows import MakeUser
from tests.integration.mail.servers import Scripted, serving
from workflows.mail.messages import MailEnd, MailOrder


@pytest.fixture
def mail(engine: Engine, make_user: MakeUser) -> Mail:
    return written(engine, make_user)


def written(engine: Engine, make_user: MakeUser, **columns: Any) -> Mail:
    values: dict[str, Any] = {
        "kind": MailKind.VERIFY_EMAIL.value,
        "address": "mia@example.com",
        "created_at": datetime.now(UTC),
        "expires_at": datetime.now(UTC) + timedelta(hours=1),
    }
    row = Mail(id=new_id(), user_id=make_user(handle="mia").id, **(values | columns))
    with transaction(engine) as session:
        session.add(row)
    return row


async def send(settings: Settings, engine: Engine, server: Scripted, mail: Mail) -> MailEnd:
    reached = settings.model_copy(
        update={
            "smtp_host": "127.0.0.1",
            "smtp_port": server.port,
            "smtp_security": "none",
            "mail_from": "fansworld <no-reply@fansworld.example>",
        }
    )
    activity = SendActivities(reached, engine).send_mail
    end: MailEnd = await ActivityEnvironment().run(activity, MailOrder(mail.id))
    return end


def row(engine: Engine, mail: Mail) -> Mail:
    with transaction(engine) as session:
        return session.get_one(Mail, mail.id)


async def test_a_mail_is_sent_with_a_token_that_opens(
    settings: Settings, engine: Engine, mail: Mail
) -> None:
    async with serving(Scripted()) as server:
        assert await send(settings, engine, server, mail) == MailEnd("sent")
    (message,) = server.taken
    assert message["To"] == "mia@example.com"
    assert message["From"] == "fansworld <no-reply@fansworld.example>"
    assert message["Message-ID"] == f"<{mail.id}@fansworld.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    text = message.get_body(("plain",))
    assert text is not None
    _, _, rest = text.get_content().partition("/verify-email#token=")
    token = rest.split()[0]
    key = settings.url_signing_key_bytes
    assert read_mail_token(token, kind=MailKind.VERIFY_EMAIL, key=key) == mail.id
    assert row(engine, mail).sent_at is not None


async def test_a_mail_that_was_sent_is_not_sent_again(
    settings: Settings, engine: Engine, mail: Mail
) -> None:
    async with serving(Scripted()) as server:
        await send(settings, engine, server, mail)
        sent_at = row(engine, mail).sent_at
        assert await send(settings, engine, server, mail) == MailEnd("sent")
    assert len(server.taken) == 1
    assert row(engine, mail).sent_at == sent_at


async def test_a_mail_whose_taking_was_not_heard_of_comes_again_as_the_same(
    settings: Settings, engine: Engine, mail: Mail
) -> None:
    async with serving(Scripted(data=["cut"])) as server:
        with pytest.raises(ApplicationError) as caught:
            await send(settings, engine, server, mail)
        assert caught.value.details == ("mail_server_unavailable",)
        assert row(engine, mail).sent_at is None
        assert await send(settings, engine, server, mail) == MailEnd("sent")
    first, second = server.taken
    assert first.as_bytes() == second.as_bytes(), "to the byte, with its Message-ID"


@pytest.mark.parametrize(
    ("script", "status"),
    [
        (Scripted(rcpt=["550 5.1.1 <mia@example.com> is not known here"]), "550 5.1.1"),
        (Scripted(rcpt=["553 go away"]), "553"),
        (Scripted(data=["554 5.7.1 we like no such content"]), "554 5.7.1"),
    ],
)
async def test_a_refusal_for_good_ends_without_another_try(
    settings: Settings, engine: Engine, mail: Mail, script: Scripted, status: str
) -> None:
    async with serving(script) as server:
        assert await send(settings, engine, server, mail) == MailEnd("refused", status)
        found = row(engine, mail)
        assert (found.given_up_reason, found.sent_at) == (status, None)
        assert await send(settings, engine, server, mail) == MailEnd("given_up", status)
    assert server.tries == 1


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (Scripted(rcpt=["450 4.2.0 greylisted, mia@example.com"]), "mail_server_unavailable"),
        (Scripted(data=["451 4.3.0 try again"]), "mail_server_unavailable"),
        (Scripted(sender=["553 5.7.1 not from you"]), "mail_server_refuses_us"),
    ],
)
async def test_what_may_pass_is_tried_again_and_names_nobody(
    settings: Settings, engine: Engine, mail: Mail, script: Scripted, code: str
) -> None:
    async with serving(script) as server:
        with pytest.raises(ApplicationError) as caught:
            await send(settings, engine, server, mail)
        assert caught.value.details == (code,)
        assert not caught.value.non_retryable
        assert "mia" not in str(caught.value)
        assert await send(settings, engine, server, mail) == MailEnd("sent")


async def test_a_server_that_offers_no_tls_is_not_spoken_to_in_the_clear(
    settings: Settings, engine: Engine, mail: Mail
) -> None:
    async with serving(Scripted()) as server:
        strict = settings.model_copy(
            update={
                "smtp_host": "127.0.0.1",
                "smtp_port": server.port,
                "smtp_security": "starttls",
            }
        )
        activity = SendActivities(strict, engine).send_mail
        with pytest.raises(ApplicationError) as caught:
            await ActivityEnvironment().run(activity, MailOrder(mail.id))
        assert caught.value.details == ("mail_server_refuses_us",)
    assert server.taken == []


async def test_a_mail_whose_link_has_expired_is_of_no_use(
    settings: Settings, engine: Engine, make_user: MakeUser
) -> None:
    late = written(engine, make_user, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    async with serving(Scripted()) as server:
        assert await send(settings, engine, server, late) == MailEnd("expired")
    assert server.taken == []
    assert row(engine, late).given_up_reason == "expired"


async def test_a_mail_that_was_removed_is_gone(
    settings: Settings, engine: Engine, mail: Mail
) -> None:
    with transaction(engine) as session:
        session.delete(session.get_one(Mail, mail.id))
    async with serving(Scripted()) as server:
        assert await send(settings, engine, server, mail) == MailEnd("gone")


async def test_an_address_of_any_script_is_reached(
    settings: Settings, engine: Engine, make_user: MakeUser
) -> None:
    mail = written(engine, make_user, address="jürgen@bücher.example")
    async with serving(Scripted()) as server:
        assert await send(settings, engine, server, mail) == MailEnd("sent")
    (message,) = server.taken
    assert "To: jürgen@bücher.example".encode() in message.as_bytes()
