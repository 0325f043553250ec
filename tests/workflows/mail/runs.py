"""Running one scripted sending, for tests and for the recorder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from domain.ids import mail_workflow_id
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
