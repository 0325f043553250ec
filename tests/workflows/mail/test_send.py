"""Orchestration of sending."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from domain.ids import mail_workflow_id
from tests.workflows.media.scripted import broken
from workflows.attention import OperatorChoice
from workflows.attributes import NEEDS_ATTENTION
from workflows.auditing import AuditInput, record_audit
from workflows.declarations import implements
from workflows.mail import steps
from workflows.mail.messages import GiveUpMail, MailEnd, MailOrder
from workflows.mail.send import SEND_STEP, SendMail
from workflows.mail.start import start_mail
from workflows.queues import Queue, queue_name
from workflows.runner import workflow_runner

Handle = WorkflowHandle[SendMail, MailEnd]


@dataclass
class Scripted:
    fails: list[ApplicationError] = field(default_factory=list)
    end: MailEnd = field(default_factory=lambda: MailEnd("sent"))
    tries: int = 0
    given_up: list[GiveUpMail] = field(default_factory=list)
    audits: list[AuditInput] = field(default_factory=list)

    @implements(steps.send_mail)
    async def send_mail(self, order: MailOrder) -> MailEnd:
        self.tries += 1
        if self.fails:
            raise self.fails.pop(0)
        return self.end

    @implements(steps.give_up_mail)
    async def give_up_mail(self, order: GiveUpMail) -> None:
        self.given_up.append(order)

    @implements(record_audit)
    async def record_audit(self, entry: AuditInput) -> None:
        self.audits.append(entry)

    def activities(self) -> list[Callable[..., Any]]:
        return [self.send_mail, self.give_up_mail, self.record_audit]


@asynccontextmanager
async def sending(client: Client, scripted: Scripted) -> AsyncIterator[Handle]:
    prefix, mail_id = f"t{uuid4().hex[:8]}-", str(uuid4())
    async with (
        Worker(
            client,
            task_queue=queue_name(Queue.WORKFLOWS, prefix=prefix),
            workflows=[SendMail],
            workflow_runner=workflow_runner(),
        ),
        Worker(
            client,
            task_queue=queue_name(Queue.IO, prefix=prefix),
            activities=scripted.activities(),
        ),
    ):
        for _ in range(2):
            await start_mail(client, mail_id, queue_prefix=prefix)
        yield client.get_workflow_handle(mail_workflow_id(mail_id), result_type=MailEnd)


async def waiting(handle: Handle) -> None:
    async with asyncio.timeout(15):
        while SEND_STEP not in await handle.query(SendMail.waiting_steps):
            await asyncio.sleep(0.05)


async def test_two_starts_send_once(workflow_client: Client) -> None:
    scripted = Scripted()
    async with sending(workflow_client, scripted) as handle:
        assert await handle.result() == MailEnd("sent")
    assert scripted.tries == 1


async def test_a_mail_server_that_comes_back_is_tried_again(workflow_client: Client) -> None:
    away = ApplicationError("away", "mail_server_unavailable", type="Unavailable")
    scripted = Scripted(fails=[away, away])
    async with sending(workflow_client, scripted) as handle:
        assert await handle.result() == MailEnd("sent")
    assert scripted.tries == 3


async def test_a_refused_mail_ends_well(workflow_client: Client) -> None:
    scripted = Scripted(end=MailEnd("refused", "550 5.1.1"))
    async with sending(workflow_client, scripted) as handle:
        assert await handle.result() == MailEnd("refused", "550 5.1.1")
    assert scripted.tries == 1


async def test_a_spent_budget_waits_for_an_operator_who_tries_again(
    workflow_client: Client,
) -> None:
    scripted = Scripted(fails=[broken()])
    async with sending(workflow_client, scripted) as handle:
        await waiting(handle)
        assert (await handle.describe()).typed_search_attributes[NEEDS_ATTENTION] is True
        await handle.execute_update(SendMail.retry_step, OperatorChoice(SEND_STEP, "ada", "up"))
        assert await handle.result() == MailEnd("sent")
    assert [(entry.action, entry.subject_type) for entry in scripted.audits] == [
        ("mail.step_retried", "mail")
    ]


async def test_an_operator_gives_a_mail_up_so_that_no_sweep_sends_it(
    workflow_client: Client,
) -> None:
    scripted = Scripted(fails=[broken()])
    async with sending(workflow_client, scripted) as handle:
        await waiting(handle)
        await handle.execute_update(SendMail.skip_step, OperatorChoice(SEND_STEP, "ada"))
        assert await handle.result() == MailEnd("skipped")
    assert [order.reason for order in scripted.given_up] == ["skipped"]
    assert [entry.action for entry in scripted.audits] == ["mail.step_skipped"]


async def test_a_cancelled_run_gives_its_mail_up(workflow_client: Client) -> None:
    scripted = Scripted(fails=[broken()])
    async with sending(workflow_client, scripted) as handle:
        await waiting(handle)
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    assert [order.reason for order in scripted.given_up] == ["cancelled"]
