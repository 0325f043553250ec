"""Mails that the embedded stack catches, and the command that shows them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from temporalio.client import Client

from devstack.mail import Mail as MailServer
from devstack.mailbox import Mailbox, NoMail
from devstack.stack import ROOT, Stack, settings_from
from domain.auth import MailKind
from domain.letters import MailFacts, letter_for
from domain.mails import read_mail_token
from infra.db import transaction
from infra.ids import new_id
from infra.mail import compose, send
from infra.models import Mail
from infra.settings import Settings
from tests.harness.rows import MakeUser
from workflows.mail.start import start_mail


@pytest.mark.usefixtures("mails_are_sent")
async def test_a_mail_that_a_run_sends_is_found_by_its_address(
    settings: Settings,
    engine: Engine,
    temporal_client: Client,
    mailbox: Mailbox,
    make_user: MakeUser,
) -> None:
    mail = Mail(
        id=new_id(),
        user_id=make_user().id,
        kind=MailKind.RESET_PASSWORD.value,
        address=f"{new_id()}@example.com",
        expires_at=datetime.now(UTC) + timedelta(hours=1),
    )
    with transaction(engine) as session:
        session.add(mail)
    run_id = await start_mail(temporal_client, mail.id, queue_prefix=settings.task_queue_prefix)
    await temporal_client.get_workflow_handle(run_id).result()
    caught = mailbox.wait_for(mail.address)
    assert caught.message_id.startswith(f"<{mail.id}@")
    key = settings.url_signing_key_bytes
    assert read_mail_token(caught.token, kind=MailKind.RESET_PASSWORD, key=key) == mail.id
    assert caught.token in caught.html


def test_a_mail_that_does_not_come_is_said_so(mailbox: Mailbox) -> None:
    with pytest.raises(NoMail, match="0 of 1 mails came to nobody"):
        mailbox.wait_for("nobody@example.com", seconds=0)


def test_the_command_lists_what_came_and_shows_the_newest(other_run_dir: Path) -> None:
    with Stack(other_run_dir, parts=[MailServer()], environ={}) as stack:
        settings = settings_from(stack.environment)
        for address in ("ada@example.com", "mia@example.com"):
            row = Mail(id=new_id(), address=address, created_at=datetime.now(UTC))
            facts = MailFacts(row.id, MailKind.ALREADY_REGISTERED, "ada", row.created_at, None, {})
            letter = letter_for(facts, app_url=settings.app_url, key=bytes(32))
            asyncio.run(send(settings, compose(settings, row, letter)))

        assert (other_run_dir / "mail").stat().st_mode & 0o077 == 0
        status = stack.status()[0]
        assert (status.name, status.state) == ("mail", "running")
        assert status.address == f"smtp://127.0.0.1:{settings.smtp_port}"
    shown = subprocess.run(
        [sys.executable, "-m", "devstack", "mail", "--run-dir", str(other_run_dir)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "ada@example.com" in shown
    assert shown.count("You already have an account") == 2
    assert "Hello ada," in shown
    assert [mail.to for mail in Mailbox(other_run_dir).mails()] == [
        "ada@example.com",
        "mia@example.com",
    ]
