"""What the sweep makes of runs that an operator ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.testing import ActivityEnvironment

from activities.media.sweeping import SweepActivities
from activities.parts import WorkerParts
from domain.ids import delete_workflow_id, ingest_workflow_id
from domain.media.states import MediaState
from infra.db import transaction
from infra.models import Media
from infra.settings import Settings
from infra.storage import Storage
from tests.harness.rows import MakeMedia
from workflows.media.messages import DeleteMediaInput, IngestInput
from workflows.media.start import start_deletion, start_ingest

MINUTES_AGO = datetime.now(UTC) - timedelta(minutes=5)


@pytest.fixture
async def deleted(
    make_media: MakeMedia, temporal_client: Client, settings: Settings
) -> AsyncIterator[Media]:
    """A media whose deletion has a run that no worker does."""
    media = make_media(state=MediaState.DELETED, deleted_at=MINUTES_AGO)
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
    media_parts: WorkerParts, temporal_client: Client, deleted: Media, was_ended: bool
) -> None:
    run = temporal_client.get_workflow_handle(delete_workflow_id(deleted.id))
    if was_ended:
        await run.terminate()
    report = await ActivityEnvironment().run(SweepActivities(media_parts).sweep_media)
    assert report.restarted_deletions == int(was_ended)
    assert (await run.describe()).status is WorkflowExecutionStatus.RUNNING


async def test_media_whose_runs_go_on_leave_the_others_their_turn(
    media_parts: WorkerParts, temporal_client: Client, deleted: Media, make_media: MakeMedia
) -> None:
    later = make_media(state=MediaState.DELETED, deleted_at=MINUTES_AGO)
    assert later.id > deleted.id
    sweep = SweepActivities(media_parts, batch=1)
    report = await ActivityEnvironment().run(sweep.sweep_media)
    assert report.restarted_deletions == 1
    await temporal_client.get_workflow_handle(delete_workflow_id(later.id)).terminate()


async def test_what_a_run_had_made_when_it_was_ended_is_deleted(
    media_parts: WorkerParts,
    temporal_client: Client,
    settings: Settings,
    storage: Storage,
    engine: Engine,
    make_media: MakeMedia,
) -> None:
    media = make_media(state=MediaState.PROCESSING, updated_at=MINUTES_AGO)
    await start_ingest(
        temporal_client,
        IngestInput(media.id, media.owner_id),
        queue_prefix=settings.task_queue_prefix,
        kind=media.kind,
    )
    await temporal_client.get_workflow_handle(ingest_workflow_id(media.id, 1)).terminate()
    for bucket, root in ((storage.media, "m"), (storage.media, "work"), (storage.public, "p")):
        storage.put_bytes(bucket, f"{root}/{media.id}/1/x", b"x", content_type="text/plain")
    report = await ActivityEnvironment().run(SweepActivities(media_parts).sweep_media)
    assert report.failed_runs == 1
    with transaction(engine) as session:
        assert session.get_one(Media, media.id).state == MediaState.FAILED
    for bucket, root in ((storage.media, "m"), (storage.media, "work"), (storage.public, "p")):
        assert not list(storage.list_prefix(bucket, f"{root}/{media.id}/")), root
