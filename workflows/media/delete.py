"""DeleteMedia: end the media's ingest, then erase every object it left anywhere."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from workflows import policies
    from workflows.media import steps
    from workflows.media.messages import DeletedMedia, DeleteMediaInput
    from workflows.queues import Queue, sibling_queue


@workflow.defn
class DeleteMedia:
    """One run a media; id from `domain.ids.delete_workflow_id`. The row is already `deleted`."""

    @workflow.run
    async def run(self, order: DeleteMediaInput) -> DeletedMedia:
        for run_id in order.ingest_workflow_ids:
            await self._cancel(run_id)
        workflow.set_current_details("Deleting every object of this media from storage.")
        return await workflow.execute_activity(
            steps.erase_media,
            order,
            task_queue=sibling_queue(Queue.IO, own=workflow.info().task_queue),
            start_to_close_timeout=policies.ERASE.start_to_close,
            heartbeat_timeout=policies.ERASE.heartbeat,
            retry_policy=policies.ERASE.retry,
            summary="Erasing all objects and purging the CDN",
        )

    async def _cancel(self, workflow_id: str) -> None:
        """Ask a run to end. One that is not there, or over, is as good as cancelled."""
        try:
            await workflow.get_external_workflow_handle(workflow_id).cancel()
        except ApplicationError:
            workflow.logger.info("ingest was not running", extra={"ingest": workflow_id})
