"""SendMail: hand one mail to the mail server, however long that is away."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from domain.operators import OperatorText
    from workflows import policies
    from workflows.attention import Attention, BlockedStep, OperatorChoice, Skipped
    from workflows.auditing import AuditInput, record_audit
    from workflows.mail import steps
    from workflows.mail.messages import GiveUpMail, MailEnd, MailOrder
    from workflows.queues import Queue, sibling_queue

SEND_STEP = "send"


@workflow.defn
class SendMail:
    """One run a mail; id from `domain.ids.mail_workflow_id`. The row is already written."""

    @workflow.init
    def __init__(self, order: MailOrder) -> None:
        self._order = order
        self._attention = Attention(self._no_projection)
        self._io_queue = sibling_queue(Queue.IO, own=workflow.info().task_queue)

    @workflow.run
    async def run(self, order: MailOrder) -> MailEnd:
        try:
            end = await self._attention.run_skippable(
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
        return await workflow.execute_activity(
            steps.send_mail,
            order,
            task_queue=self._io_queue,
            start_to_close_timeout=policies.SEND.start_to_close,
            retry_policy=policies.SEND.retry,
            summary=OperatorText("Handing the mail to the mail server"),
        )

    async def _give_up(self, reason: str) -> None:
        await workflow.execute_activity(
            steps.give_up_mail,
            GiveUpMail(self._order.mail_id, reason),
            task_queue=self._io_queue,
            start_to_close_timeout=policies.RECORD.start_to_close,
            retry_policy=policies.RECORD.retry,
        )

    async def _no_projection(self, blocked: BlockedStep | None) -> None:
        """Nobody but operators is told of a mail that waits, and they look at the run."""

    # --- what operators can do ---------------------------------------------------------------

    @workflow.update
    async def retry_step(self, choice: OperatorChoice) -> str:
        """Try again with a fresh budget."""
        self._attention.decide(choice, skip=False)
        await self._audit("mail.step_retried", choice)
        return OperatorText(f"{choice.step}: tried again")

    @retry_step.validator
    def _check_retry(self, choice: OperatorChoice) -> None:
        self._attention.check(choice, skip=False)

    @workflow.update
    async def skip_step(self, choice: OperatorChoice) -> str:
        """Give the mail up."""
        self._attention.decide(choice, skip=True)
        await self._audit("mail.step_skipped", choice)
        return OperatorText(f"{choice.step}: skipped")

    @skip_step.validator
    def _check_skip(self, choice: OperatorChoice) -> None:
        self._attention.check(choice, skip=True)

    @workflow.query
    def waiting_steps(self) -> list[str]:
        """Steps that wait for an operator."""
        return list(self._attention.blocked_steps)

    async def _audit(self, action: str, choice: OperatorChoice) -> None:
        await workflow.execute_activity(
            record_audit,
            AuditInput(
                action=action,
                subject_type="mail",
                subject_id=self._order.mail_id,
                actor_name=choice.operator,
                detail={"step": choice.step, "note": choice.note},
            ),
            task_queue=self._io_queue,
            start_to_close_timeout=policies.RECORD.start_to_close,
            retry_policy=policies.RECORD.retry,
        )
