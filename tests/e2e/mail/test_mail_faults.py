"""A mail arrives, whatever dies on the way: the mail server, or the worker at the worst moment."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, update
from temporalio.client import Client, WorkflowHandle

from domain.auth import MailKind
from domain.ids import mail_workflow_id, sweep_workflow_id
from infra.db import transaction
from infra.ids import new_id
from infra.models import Mail
from infra.storage import Storage
from tests.e2e.media.platform import Platform, deployed
from tests.harness.rows import MakeUser
from tests.integration.mail.servers import Scripted, serving
from workflows.accounts.messages import AccountsSwept
from workflows.accounts.sweep import SweepAccounts
from workflows.mail.messages import MailEnd
from workflows.mail.send import SendMail
from workflows.mail.start import start_mail
from workflows.queues import Queue, queue_name

QUEUES = (Queue.WORKFLOWS, Queue.IO)
RETRY_SECONDS = 90
"""A worker that died is noticed when its step's time is over."""


@pytest.fixture
def server() -> Scripted:
    """With a port of its own, on which nobody answers yet."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return Scripted(port=listener.getsockname()[1])


@pytest.fixture
def platform(
    stack_environment: dict[str, str], storage: Storage, engine: Engine, server: Scripted
) -> Iterator[Platform]:
    reached = {
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(server.port),
        "SMTP_SECURITY": "none",
    }
    with deployed(
        stack_environment, name="mail", storage=storage, engine=engine, **reached
    ) as platform:
        yield platform


@pytest.fixture
def mail(engine: Engine, make_user: MakeUser) -> Mail:
    row = Mail(
        id=new_id(),
        user_id=make_user().id,
        kind=MailKind.VERIFY_EMAIL.value,
        address="mia@example.com",
        expires_at=datetime.now(UTC) + timedelta(hours=1),
    )
    with transaction(engine) as session:
        session.add(row)
    return row


def sweep(platform: Platform) -> AccountsSwept:
    prefix = platform.settings.task_queue_prefix
    return platform.loop.run(
        platform.temporal.execute_workflow(
            SweepAccounts.run,
            id=f"{prefix}{sweep_workflow_id('accounts')}:{new_id()}",
            task_queue=queue_name(Queue.WORKFLOWS, prefix=prefix),
        )
    )


def begin(platform: Platform, mail: Mail) -> None:
    prefix = platform.settings.task_queue_prefix
    platform.loop.run(start_mail(platform.temporal, mail.id, queue_prefix=prefix))


def end_of(platform: Platform, mail: Mail) -> MailEnd:
    run: WorkflowHandle[SendMail, MailEnd] = platform.temporal.get_workflow_handle(
        mail_workflow_id(mail.id), result_type=MailEnd
    )
    return platform.loop.run(run.result(), seconds=RETRY_SECONDS)


def sent_at(engine: Engine, mail: Mail) -> datetime | None:
    with transaction(engine) as session:
        return session.get_one(Mail, mail.id).sent_at


def test_a_mail_server_that_was_away_gets_the_mail_when_it_is_back(
    platform: Platform, server: Scripted, engine: Engine, mail: Mail
) -> None:
    async def tried_twice(client: Client) -> None:
        run = client.get_workflow_handle(mail_workflow_id(mail.id))
        while True:
            pending = (await run.describe()).raw_description.pending_activities
            if any(each.attempt > 2 for each in pending):
                return
            await asyncio.sleep(0.1)

    with platform.working(*QUEUES):
        begin(platform, mail)
        platform.ask(tried_twice)
        assert sent_at(engine, mail) is None
        back = serving(server)
        platform.loop.run(back.__aenter__())
        assert end_of(platform, mail) == MailEnd("sent")
        platform.loop.run(back.__aexit__(None, None, None))
    assert len(server.taken) == 1
    assert sent_at(engine, mail) is not None


def test_a_worker_that_dies_before_it_noted_a_mail_leaves_the_same_mail_to_the_next(
    platform: Platform, server: Scripted, engine: Engine, mail: Mail, tmp_path: Path
) -> None:
    server.data.append("hang")
    there = serving(server)
    platform.loop.run(there.__aenter__())
    log = tmp_path / "worker.log"
    with platform.worker_process(*QUEUES, log=log) as worker:
        begin(platform, mail)
        assert server.came.wait(30), log.read_text()
        worker.kill()
    assert sent_at(engine, mail) is None
    with platform.worker_process(*QUEUES, log=log):
        assert end_of(platform, mail) == MailEnd("sent")
    platform.loop.run(there.__aexit__(None, None, None))
    first, second = server.taken
    assert first["Message-ID"] == second["Message-ID"]
    assert first.as_bytes() == second.as_bytes()
    assert sent_at(engine, mail) is not None


def test_a_mail_that_a_crash_left_without_a_run_is_sent_by_the_sweep(
    platform: Platform, server: Scripted, engine: Engine, mail: Mail
) -> None:
    with transaction(engine) as session:
        session.execute(
            update(Mail)
            .where(Mail.id == mail.id)
            .values(created_at=datetime.now(UTC) - timedelta(minutes=2))
        )
    there = serving(server)
    platform.loop.run(there.__aenter__())
    with platform.working(*QUEUES):
        assert sweep(platform) == AccountsSwept(started_mails=1)
        assert end_of(platform, mail) == MailEnd("sent")
        assert sweep(platform) == AccountsSwept()
    platform.loop.run(there.__aexit__(None, None, None))
    assert len(server.taken) == 1
