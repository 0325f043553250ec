"""What the sweep makes of runs that an operator ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.testing import ActivityEnvironment

from activities.media.sweeping import SweepActivities
from activities.parts import MediaParts
from domain.ids import delete_workflow_id
from domain.media.states import MediaState
from infra.models import Media
from infra.settings import Settings
from tests.harness.rows import MakeMedia
from workflows.media.messages import DeleteMediaInput
from workflows.media.start import start_deletion


@pytest.fixture
async def deleted(
    make_media: MakeMedia, temporal_client: Client, settings: Settings
) -> AsyncIterator[Media]:
    """A media whose deletion has a run that no worker does."""
    media = make_media(
        state=MediaState.DELETED, deleted_at=datetime.now(UTC) - timedelta(minutes=5)
    )
    await start_deletion(
        temporal_client,
        DeleteMediaInput(media.id),
        creator_id=media.owner_id,
        queue_prefix=settings.task_queue_prefix,
    )
    yield media
    await temporal_client.get_workflow_handle(delete_workflow_id(media.id)).terminate()


@pytest.mark.parametrize("was_ended", [True, False])
async def test_a_deletion_whose_run_was_ended_is_begun_again(
    media_parts: MediaParts, temporal_client: Client, deleted: Media, was_ended: bool
) -> None:
    run = temporal_client.get_workflow_handle(delete_workflow_id(deleted.id))
    if was_ended:
        await run.terminate()
    report = await ActivityEnvironment().run(SweepActivities(media_parts).sweep_media)
    assert report.restarted_deletions == int(was_ended)
    assert (await run.describe()).status is WorkflowExecutionStatus.RUNNING
