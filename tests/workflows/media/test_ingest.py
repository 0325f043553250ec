"""Orchestration of ingest: order, failure, operators, cancellation."""

from __future__ import annotations

import asyncio
import gc
import sys
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import CancelledError

from domain.media.states import MediaKind, MediaState
from tests.workflows.media.runs import cancel_at, running, waiting
from tests.workflows.media.scripted import (
    LONG,
    SHORT,
    SOUND_ONLY,
    Scripted,
    broken,
    rejected,
)
from workflows.attention import OperatorChoice
from workflows.attributes import JOB_STEP, NEEDS_ATTENTION
from workflows.media.ingest import IngestMedia
from workflows.media.messages import IngestInput, IngestResult
from workflows.media.start import start_ingest
from workflows.queues import Queue


async def test_a_picture_takes_three_activities(workflow_client: Client) -> None:
    scripted = Scripted()
    async with running(workflow_client, scripted) as handle:
        assert (await handle.result()).state == MediaState.READY
    assert scripted.calls == ["inspect_original", "render_image", "publish_media:ready"]
    assert scripted.marks == []


async def test_a_short_video_is_published_once_after_judgement(workflow_client: Client) -> None:
    scripted = Scripted(kind=MediaKind.VIDEO, plan=SHORT)
    async with running(workflow_client, scripted) as handle:
        await handle.result()
    assert [order.stage for order in scripted.published] == ["ready"]
    before_publishing = scripted.calls[: scripted.calls.index("publish_media:ready")]
    assert {"judge_video", "finish_video", "encode_audio", "encode_video:0:0"} <= set(
        before_publishing
    )


async def test_a_long_video_is_playable_after_the_first_rung(workflow_client: Client) -> None:
    scripted = Scripted(kind=MediaKind.VIDEO, plan=LONG)
    async with running(workflow_client, scripted) as handle:
        assert (await handle.result()).state == MediaState.READY
    playable = scripted.calls.index("publish_media:playable")
    earlier, later = scripted.calls[:playable], scripted.calls[playable:]
    assert {f"encode_video:0:{chunk}" for chunk in range(3)} <= set(earlier)
    assert {"judge_video", "encode_audio"} <= set(earlier), "nothing unjudged is playable"
    assert {f"encode_video:1:{chunk}" for chunk in range(3)} <= set(later)
    assert scripted.most_at_once == 3, "chunks run side by side"


async def test_sound_alone_needs_no_pictures(workflow_client: Client) -> None:
    scripted = Scripted(kind=MediaKind.AUDIO, plan=SOUND_ONLY)
    async with running(workflow_client, scripted) as handle:
        await handle.result()
    assert "judge_video" not in scripted.calls
    assert "encode_audio" in scripted.calls


async def test_a_refused_file_ends_the_run_as_rejected(workflow_client: Client) -> None:
    scripted = Scripted(fails={"inspect_original": [rejected("infected")]})
    async with running(workflow_client, scripted) as handle:
        result = await handle.result()
    assert (result.state, result.reason) == ("rejected", "infected")
    assert [mark.rejection_code for mark in scripted.marks] == ["infected"]
    assert scripted.calls == ["inspect_original", "discard_generation"]


async def test_refused_sound_ends_the_encode_beside_it(workflow_client: Client) -> None:
    scripted = Scripted(
        kind=MediaKind.VIDEO,
        fails={"encode_audio": [rejected("corrupt_media")]},
        hangs={"encode_video:0:0"},
    )
    async with running(workflow_client, scripted) as handle:
        assert (await handle.result()).state == MediaState.REJECTED
    assert scripted.cancelled == ["encode_video:0:0"]


async def test_a_spent_budget_waits_for_an_operator_and_retries(workflow_client: Client) -> None:
    scripted = Scripted(fails={"render_image": [broken("disk gone")]})
    async with running(workflow_client, scripted) as handle:
        await waiting(handle, "render")
        seen = await handle.describe()
        assert seen.typed_search_attributes[NEEDS_ATTENTION] is True
        assert seen.typed_search_attributes[JOB_STEP] == "render"
        said = await handle.execute_update(
            IngestMedia.retry_step, OperatorChoice("render", "ada", "ok")
        )
        assert said == "render: tried again"
        assert (await handle.result()).state == MediaState.READY
        assert (await handle.describe()).typed_search_attributes[NEEDS_ATTENTION] is False
    assert [mark.needs_attention for mark in scripted.marks] == [True, False]
    assert [(entry.action, entry.actor_name) for entry in scripted.audits] == [
        ("media.step_retried", "ada")
    ]


async def test_a_skipped_judgement_holds_the_video(workflow_client: Client) -> None:
    scripted = Scripted(kind=MediaKind.VIDEO, fails={"judge_video": [broken()]})
    async with running(workflow_client, scripted) as handle:
        await waiting(handle, "moderate")
        await handle.execute_update(IngestMedia.skip_step, OperatorChoice("moderate", "ada"))
        assert (await handle.result()).state == MediaState.HELD


@pytest.mark.parametrize(
    ("update", "choice", "says"),
    [
        (IngestMedia.skip_step, OperatorChoice("render", "ada"), "can't be skipped"),
        (IngestMedia.retry_step, OperatorChoice("publish", "ada"), "is not waiting"),
        (IngestMedia.retry_step, OperatorChoice("render", " "), "say who decides"),
    ],
)
async def test_a_choice_that_does_not_fit_is_refused(
    workflow_client: Client, update: object, choice: OperatorChoice, says: str
) -> None:
    scripted = Scripted(fails={"render_image": [broken()]})
    async with running(workflow_client, scripted) as handle:
        await waiting(handle, "render")
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await handle.execute_update(update, choice)  # type: ignore[call-overload]
        assert says in str(refused.value.cause)
        await handle.execute_update(IngestMedia.retry_step, OperatorChoice("render", "ada"))
        await handle.result()


async def test_cancelling_ends_running_work_then_clears_up(workflow_client: Client) -> None:
    scripted = Scripted(kind=MediaKind.VIDEO, plan=LONG, hangs={"encode_video:0:1"})
    async with running(workflow_client, scripted) as handle:
        await cancel_at(handle, scripted, "encode_video:0:1")
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    assert scripted.cancelled == ["encode_video:0:1"]
    assert scripted.marks[-1].state == MediaState.CANCELLED
    assert scripted.calls[-1] == "discard_generation"


async def test_a_step_that_fails_while_it_is_cancelled_asks_nobody(workflow_client: Client) -> None:
    """As one does that finds its media deleted before it hears of its cancellation."""
    scripted = Scripted(
        kind=MediaKind.VIDEO, plan=LONG, hangs={"encode_video:0:1"}, fails_at_cancellation=True
    )
    async with running(workflow_client, scripted) as handle:
        await cancel_at(handle, scripted, "encode_video:0:1")
        with pytest.raises(WorkflowFailureError) as ended:
            await handle.result()
    assert isinstance(ended.value.cause, CancelledError)
    assert not any(mark.needs_attention for mark in scripted.marks)
    assert scripted.marks[-1].state == MediaState.CANCELLED
    assert scripted.calls[-1] == "discard_generation"


async def test_a_worker_drops_a_run_that_goes_on_elsewhere_without_a_fault(
    workflow_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", faults.append)
    scripted = Scripted(kind=MediaKind.VIDEO, hangs={"finish_video", "judge_video"})
    async with running(workflow_client, scripted) as handle:
        async with asyncio.timeout(15):
            while not scripted.hangs <= set(scripted.calls):
                await asyncio.sleep(0.02)
    gc.collect()
    assert faults == []
    await handle.terminate()


async def test_a_run_that_is_cancelled_while_it_waits_is_not_listed_any_more(
    workflow_client: Client,
) -> None:
    scripted = Scripted(fails={"render_image": [broken()]})
    async with running(workflow_client, scripted) as handle:
        await waiting(handle, "render")
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        seen = await handle.describe()
    assert seen.typed_search_attributes[NEEDS_ATTENTION] is False


async def test_a_refusal_beside_a_step_that_waits_takes_the_run_off_the_list(
    workflow_client: Client,
) -> None:
    scripted = Scripted(
        kind=MediaKind.VIDEO,
        fails={"judge_video": [broken()], "finish_video": [broken(), rejected("corrupt_media")]},
    )
    async with running(workflow_client, scripted) as handle:
        await waiting(handle, "moderate")
        await waiting(handle, "finish")
        await handle.execute_update(IngestMedia.retry_step, OperatorChoice("finish", "ada"))
        assert (await handle.result()).state == MediaState.REJECTED
        seen = await handle.describe()
    assert seen.typed_search_attributes[NEEDS_ATTENTION] is False


async def test_work_beside_a_refusal_that_fails_while_it_is_ended_asks_nobody(
    workflow_client: Client,
) -> None:
    scripted = Scripted(
        kind=MediaKind.VIDEO,
        plan=SHORT,
        fails={"encode_audio": [rejected("unsupported_codec")]},
        hangs={"encode_video:0:0"},
        fails_at_cancellation=True,
    )
    async with running(workflow_client, scripted) as handle:
        result = await handle.result()
    assert result == IngestResult("rejected", "unsupported_codec")
    assert not any(mark.needs_attention for mark in scripted.marks)


async def test_a_waiting_run_can_be_cancelled(workflow_client: Client) -> None:
    scripted = Scripted(fails={"render_image": [broken()]})
    async with running(workflow_client, scripted) as handle:
        await waiting(handle, "render")
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    assert scripted.marks[-1].state == MediaState.CANCELLED


async def test_starting_twice_finds_the_run_that_is_there(workflow_client: Client) -> None:
    scripted = Scripted(hangs={"render_image"})
    async with running(workflow_client, scripted) as handle:
        first = await handle.describe()
        job = IngestInput(media_id=handle.id.removeprefix("ingest:"), creator_id=str(uuid4()))
        prefix = first.task_queue.removesuffix(Queue.WORKFLOWS.value)
        await start_ingest(workflow_client, job, queue_prefix=prefix, kind="image")
        assert (await handle.describe()).run_id == first.run_id
        await handle.cancel()
