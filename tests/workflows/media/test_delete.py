"""Orchestration of deletion."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from temporalio.client import Client, WorkflowHandle

from domain.ids import delete_workflow_id
from tests.workflows.media.runs import serving
from tests.workflows.media.scripted import Scripted, broken
from workflows.attention import OperatorChoice
from workflows.attributes import NEEDS_ATTENTION
from workflows.media.delete import DeleteMedia
from workflows.media.messages import DeletedMedia, DeleteMediaInput
from workflows.media.start import start_deletion


async def begin(
    client: Client, media_id: str, *, prefix: str
) -> WorkflowHandle[DeleteMedia, DeletedMedia]:
    order = DeleteMediaInput(media_id, ingest_workflow_ids=(f"ingest:{media_id}",))
    await start_deletion(client, order, creator_id=str(uuid4()), queue_prefix=prefix)
    return client.get_workflow_handle(delete_workflow_id(media_id), result_type=DeletedMedia)


async def test_an_ingest_that_never_ran_does_not_keep_its_media(workflow_client: Client) -> None:
    async with serving(workflow_client, Scripted()) as prefix:
        deletion = await begin(workflow_client, str(uuid4()), prefix=prefix)
        assert (await deletion.result()).objects == 3


async def test_a_refused_purge_waits_for_an_operator(workflow_client: Client) -> None:
    scripted = Scripted(fails={"erase_media": [broken("the purge hook refused the call")]})
    media_id = str(uuid4())
    async with serving(workflow_client, scripted) as prefix:
        deletion = await begin(workflow_client, media_id, prefix=prefix)
        async with asyncio.timeout(15):
            while await deletion.query(DeleteMedia.waiting_steps) != ["erase"]:
                await asyncio.sleep(0.05)
        seen = await deletion.describe()
        assert seen.typed_search_attributes[NEEDS_ATTENTION] is True
        await deletion.execute_update(DeleteMedia.retry_step, OperatorChoice("erase", "ada", "up"))
        assert (await deletion.result()).objects == 3
        assert (await deletion.describe()).typed_search_attributes[NEEDS_ATTENTION] is False
    assert scripted.calls == ["erase_media", "erase_media"]
    assert [(entry.action, entry.subject_id, entry.actor_name) for entry in scripted.audits] == [
        ("media.step_retried", media_id, "ada")
    ]
