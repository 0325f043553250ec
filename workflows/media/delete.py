"""DeleteMedia: end the media's ingest, then erase every object it left anywhere."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from domain.operators import OperatorText
    from workflows import policies
    from workflows.attention import Attention, BlockedStep, OperatorChoice
    from workflows.auditing import AuditInput, record_audit
    from workflows.media import steps
    from workflows.media.messages import DeletedMedia, DeleteMediaInput
    from workflows.queues import Queue, sibling_queue

ERASE_STEP = "erase"


@workflow.defn
class DeleteMedia:
    """One run a media; id from `domain.ids.delete_workflow_id`. The row is already `deleted`."""

    @workflow.init
    def __init__(self, order: DeleteMediaInput) -> None:
        self._order = order
        self._attention = Attention(self._no_projection)
        self._io_queue = sibling_queue(Queue.IO, own=workflow.info().task_queue)

    @workflow.run
    async def run(self, order: DeleteMediaInput) -> DeletedMedia:
        for run_id in order.ingest_workflow_ids:
            await self._cancel(run_id)
        deleted = await self._attention.run(ERASE_STEP, self._erase)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return deleted

    async def _erase(self) -> DeletedMedia:
        workflow.set_current_details("Deleting every object of this media from storage.")
        return await workflow.execute_activity(
            steps.erase_media,
            self._order,
            task_queue=self._io_queue,
            start_to_close_timeout=policies.ERASE.start_to_close,
            heartbeat_timeout=policies.ERASE.heartbeat,
            retry_policy=policies.ERASE.retry,
            summary=OperatorText("Erasing all objects and purging the CDN"),
        )

    async def _cancel(self, workflow_id: str) -> None:
        """Ask a run to end. One that is not there, or over, is as good as cancelled."""
        try:
            await workflow.get_external_workflow_handle(workflow_id).cancel()
        except ApplicationError:
            workflow.logger.info("ingest was not running", extra={"ingest": workflow_id})

    async def _no_projection(self, blocked: BlockedStep | None) -> None:
        """The media is gone for everybody but operators, and they look at the run."""

    @workflow.update
    async def retry_step(self, choice: OperatorChoice) -> str:
        """Run a waiting step again with a fresh budget. There is nothing to skip."""
        self._attention.decide(choice, skip=False)
        await workflow.execute_activity(
            record_audit,
            AuditInput(
                action="media.step_retried",
                subject_type="media",
                subject_id=self._order.media_id,
                actor_name=choice.operator,
                detail={"step": choice.step, "note": choice.note},
            ),
            task_queue=self._io_queue,
            start_to_close_timeout=policies.RECORD.start_to_close,
            retry_policy=policies.RECORD.retry,
        )
        return OperatorText(f"{choice.step}: tried again")

    @retry_step.validator
    def _check_retry(self, choice: OperatorChoice) -> None:
        self._attention.check(choice, skip=False)

    @workflow.query
    def waiting_steps(self) -> list[str]:
        """Steps that wait for an operator."""
        return list(self._attention.blocked_steps)
