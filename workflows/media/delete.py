"""DeleteMedia: end the media's ingest, then erase every object it left anywhere."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from workflows import policies
    from workflows.media import steps
    from workflows.media.messages import DeletedMedia, DeleteMediaInput
    from workflows.operated import Operated
    from workflows.performing import perform
    from workflows.queues import Queue
    from workflows.versions import SHORT_LIVED

ERASE_STEP = "erase"


@workflow.defn(versioning_behavior=SHORT_LIVED)
class DeleteMedia(Operated):
    """One run a media; id from `domain.ids.delete_workflow_id`. The row is already `deleted`."""

    @workflow.init
    def __init__(self, order: DeleteMediaInput) -> None:
        super().__init__("media", order.media_id)
        self._order = order

    @workflow.run
    async def run(self, order: DeleteMediaInput) -> DeletedMedia:
        for run_id in order.ingest_workflow_ids:
            await self._cancel(run_id)
        deleted = await self.attention.run(ERASE_STEP, self._erase)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return deleted

    async def _erase(self) -> DeletedMedia:
        workflow.set_current_details("Deleting every object of this media from storage.")
        return await perform(
            steps.erase_media,
            self._order,
            queue=Queue.IO,
            policy=policies.ERASE,
            summary="Erasing all objects and purging the CDN",
        )

    async def _cancel(self, workflow_id: str) -> None:
        """Ask a run to end. One that is not there, or over, is as good as cancelled."""
        try:
            await workflow.get_external_workflow_handle(workflow_id).cancel()
        except ApplicationError:
            workflow.logger.info("ingest was not running", extra={"ingest": workflow_id})
