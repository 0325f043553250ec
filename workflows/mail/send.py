"""SendMail: hand one mail to the mail server, however long that is away."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from workflows import policies
    from workflows.attention import Skipped
    from workflows.mail import steps
    from workflows.mail.messages import GiveUpMail, MailEnd, MailOrder
    from workflows.operated import Operated
    from workflows.performing import perform
    from workflows.queues import Queue
    from workflows.versions import SHORT_LIVED

SEND_STEP = "send"


@workflow.defn(versioning_behavior=SHORT_LIVED)
class SendMail(Operated):
    """One run a mail; id from `domain.ids.mail_workflow_id`. The row is already written."""

    @workflow.init
    def __init__(self, order: MailOrder) -> None:
        super().__init__("mail", order.mail_id)
        self._order = order

    @workflow.run
    async def run(self, order: MailOrder) -> MailEnd:
        try:
            end = await self.attention.run_skippable(
                SEND_STEP,
                lambda: self._send(order),
                if_skipped="the mail is not sent, now or later.",
            )
        except (asyncio.CancelledError, ActivityError) as error:
            if is_cancelled_exception(error):
                await self._give_up("cancelled")
            raise
        if isinstance(end, Skipped):
            await self._give_up("skipped")
            end = MailEnd("skipped")
        workflow.set_current_details(f"Ended: {end.outcome}.")
        await workflow.wait_condition(workflow.all_handlers_finished)
        return end

    async def _send(self, order: MailOrder) -> MailEnd:
        workflow.set_current_details("Handing the mail to the mail server.")
        return await perform(
            steps.send_mail,
            order,
            queue=Queue.IO,
            policy=policies.SEND,
            summary="Handing the mail to the mail server",
        )

    async def _give_up(self, reason: str) -> None:
        order = GiveUpMail(self._order.mail_id, reason)
        await perform(steps.give_up_mail, order, queue=Queue.IO, policy=policies.RECORD)
