"""IngestMedia: from bytes that arrived in quarantine to renditions that can be served.

inspect ─┬─ image: render ──────────────────────────────┬─ publish
         └─ video: probe ─ audio ∥ transcode ─ judge ∥ finish ─┘
                   long: first rung of all chunks ─ judge ─ playable ─ other rungs ─┘
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception
from temporalio.workflow import ActivityCancellationType

with workflow.unsafe.imports_passed_through():
    from domain.media.rejections import RejectionCode
    from domain.media.states import IngestStep, MediaKind, MediaState
    from workflows import policies
    from workflows.attention import BlockedStep, Skipped, failure_type
    from workflows.attributes import JOB_STEP
    from workflows.media import steps
    from workflows.media.messages import (
        EncodeVideoInput,
        IngestInput,
        IngestResult,
        Inspection,
        MarkInput,
        MediaRef,
        PublishInput,
        RenderInput,
        VideoPlanned,
    )
    from workflows.operated import Operated
    from workflows.performing import perform
    from workflows.policies import StepPolicy
    from workflows.queues import Queue
    from workflows.urgency import Urgency, at
    from workflows.versions import SHORT_LIVED

A = TypeVar("A")
R = TypeVar("R")

LONG_VIDEO = (Urgency.PATIENT, Urgency.LATER)
"""First and later passes over a long video: its chunks let short jobs go ahead, or one film
would keep every picture waiting."""

CHUNKS_IN_FLIGHT_MAX = 64
"""Chunks of one video that may be queued at a time; bounds pending activities."""

TITLES = {
    IngestStep.INSPECT: "Reading the file once: size, hash, type, virus scan",
    IngestStep.PROBE: "Looking at the streams and planning the renditions",
    IngestStep.RENDER: "Making the picture's renditions",
    IngestStep.AUDIO: "Encoding the sound",
    IngestStep.TRANSCODE: "Encoding the video",
    IngestStep.FINISH: "Making poster and storyboard",
    IngestStep.MODERATE: "Judging the picture",
    IngestStep.PUBLISH: "Publishing",
}


@workflow.defn(versioning_behavior=SHORT_LIVED)
class IngestMedia(Operated):
    """One run a media and generation; id from `domain.ids.ingest_workflow_id`."""

    @workflow.init
    def __init__(self, job: IngestInput) -> None:
        super().__init__("media", job.media_id)
        self._job = job
        self._ref = MediaRef(job.media_id, job.generation)
        self._skipped: list[str] = []
        self._shown: IngestStep | None = None
        self._sound_is_there = False

    @workflow.run
    async def run(self, job: IngestInput) -> IngestResult:
        try:
            result = await self._ingest(job)
        except ActivityError as error:
            if is_cancelled_exception(error):
                await self._clear_up_cancelled()
                raise
            if failure_type(error) != policies.REJECTED:
                raise
            result = await self._reject(error)
        except asyncio.CancelledError:
            await self._clear_up_cancelled()
            raise
        await workflow.wait_condition(workflow.all_handlers_finished)
        return result

    async def _ingest(self, job: IngestInput) -> IngestResult:
        inspection = await self._step(
            IngestStep.INSPECT, steps.inspect_original, self._ref, Queue.IO, policies.READ_ONCE
        )
        if inspection.kind is MediaKind.IMAGE:
            await self._render_image(job, inspection)
        else:
            await self._make_video(job, inspection)
        return await self._publish("ready")

    async def _render_image(self, job: IngestInput, inspection: Inspection) -> None:
        await self._step(
            IngestStep.RENDER,
            steps.render_image,
            self._render_order(job, inspection),
            Queue.MEDIA,
            policies.RENDER,
        )

    async def _make_video(self, job: IngestInput, inspection: Inspection) -> None:
        plan = await self._step(
            IngestStep.PROBE,
            steps.plan_video,
            self._render_order(job, inspection),
            Queue.MEDIA,
            policies.PLAN,
        )
        await _all(self._encode_audio(plan), self._encode_passes(plan))

    async def _encode_passes(self, plan: VideoPlanned) -> None:
        for index in range(len(plan.passes)):
            await self._encode_pass(plan, index)
            if index == 0 and plan.makes_stills:
                await _all(self._judge(), self._finish())
            if index + 1 < len(plan.passes):
                await workflow.wait_condition(lambda: self._sound_is_there)
                await self._publish("playable")

    async def _encode_pass(self, plan: VideoPlanned, pass_index: int) -> None:
        window = asyncio.Semaphore(CHUNKS_IN_FLIGHT_MAX)

        async def encode(chunk_index: int) -> None:
            order = EncodeVideoInput(
                self._job.media_id, self._job.generation, pass_index, chunk_index
            )
            rungs = ", ".join(plan.passes[pass_index])
            async with window:
                await self._step(
                    IngestStep.TRANSCODE,
                    steps.encode_video,
                    order,
                    Queue.MEDIA,
                    policies.ENCODE,
                    summary=f"{rungs} · chunk {chunk_index + 1} of {plan.chunk_count}",
                    urgency=(
                        Urgency.SOON if plan.chunk_count == 1 else LONG_VIDEO[min(pass_index, 1)]
                    ),
                )

        await _all(*(encode(chunk) for chunk in range(plan.chunk_count)))

    async def _encode_audio(self, plan: VideoPlanned) -> None:
        if plan.makes_audio and plan.has_audio:
            await self._step(
                IngestStep.AUDIO, steps.encode_audio, self._ref, Queue.MEDIA, policies.ENCODE
            )
        self._sound_is_there = True

    async def _finish(self) -> None:
        await self._optional(
            IngestStep.FINISH,
            steps.finish_video,
            if_skipped="the video is published without poster and storyboard.",
        )

    async def _judge(self) -> None:
        await self._optional(
            IngestStep.MODERATE,
            steps.judge_video,
            if_skipped="the video is held until a moderator has looked at it.",
        )

    async def _publish(self, stage: str) -> IngestResult:
        order = PublishInput(self._job.media_id, self._job.generation, stage, tuple(self._skipped))
        published = await self._step(
            IngestStep.PUBLISH, steps.publish_media, order, Queue.IO, policies.PUBLISH
        )
        return IngestResult(state=published.state)

    # --- how a step runs -------------------------------------------------------------------

    async def _step(
        self,
        step: IngestStep,
        activity: Callable[[A], R],
        order: A,
        queue: Queue,
        policy: StepPolicy,
        *,
        summary: str | None = None,
        urgency: Urgency = Urgency.SOON,
    ) -> R:
        """Run one activity under its budget; an operator decides when that is spent."""
        return await self.attention.run(
            step.value,
            lambda: self._execute(step, activity, order, queue, policy, summary, urgency),
        )

    async def _optional(
        self, step: IngestStep, activity: Callable[[MediaRef], R], *, if_skipped: str
    ) -> None:
        """Run an activity that an operator may skip."""
        result = await self.attention.run_skippable(
            step.value,
            lambda: self._execute(
                step, activity, self._ref, Queue.MEDIA, policies.RENDER, None, Urgency.SOON
            ),
            if_skipped=if_skipped,
        )
        if isinstance(result, Skipped):
            self._skipped.append(step.value)

    async def _execute(
        self,
        step: IngestStep,
        activity: Callable[[A], R],
        order: A,
        queue: Queue,
        policy: StepPolicy,
        summary: str | None,
        urgency: Urgency,
    ) -> R:
        self._show_step(step)
        return await perform(
            activity,
            order,
            queue=queue,
            policy=policy,
            summary=summary or TITLES[step],
            priority=at(urgency),
            cancellation=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )

    def _show_step(self, step: IngestStep) -> None:
        if self._shown is step:
            return
        self._shown = step
        workflow.upsert_search_attributes([JOB_STEP.value_set(step.value)])
        if not self.attention.blocked_steps:
            workflow.set_current_details(TITLES[step])

    def _render_order(self, job: IngestInput, inspection: Inspection) -> RenderInput:
        return RenderInput(
            job.media_id, job.generation, inspection.content_type, job.only_renditions
        )

    # --- how a run ends other than well ------------------------------------------------------

    async def _reject(self, error: ActivityError) -> IngestResult:
        code, detail = _rejection(error)
        workflow.set_current_details(f"Rejected: {code}. {detail}")
        await self._mark(
            state=MediaState.REJECTED.value, rejection_code=code, rejection_detail=detail
        )
        await self._record(steps.discard_generation, self._ref)
        return IngestResult(state=MediaState.REJECTED.value, reason=code)

    async def _clear_up_cancelled(self) -> None:
        workflow.set_current_details("Cancelled; what was made so far is deleted.")
        await self._mark(state=MediaState.CANCELLED.value, note="Cancelled.")
        await self._record(steps.discard_generation, self._ref)

    async def show_attention(self, blocked: BlockedStep | None) -> None:
        if blocked is None:
            self._shown = None
            await self._mark(needs_attention=False, note="Going on.")
            return
        await self._mark(
            needs_attention=True,
            step=blocked.step,
            note="This step is taking longer than usual; our staff has been told.",
        )

    async def _mark(
        self,
        *,
        state: str | None = None,
        step: str | None = None,
        note: str | None = None,
        needs_attention: bool | None = None,
        rejection_code: str | None = None,
        rejection_detail: str | None = None,
    ) -> None:
        mark = MarkInput(
            media_id=self._job.media_id,
            generation=self._job.generation,
            state=state,
            step=step,
            note=note,
            needs_attention=needs_attention,
            rejection_code=rejection_code,
            rejection_detail=rejection_detail,
        )
        await self._record(steps.mark_media, mark)

    async def _record(self, activity: Callable[[A], R], order: A) -> R:
        return await perform(activity, order, queue=Queue.IO, policy=policies.RECORD)


def _rejection(error: ActivityError) -> tuple[str, str]:
    """Code and sentence that the failed activity carried."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and len(cause.details) >= 2:
        return str(cause.details[0]), str(cause.details[1])
    return RejectionCode.CORRUPT_MEDIA.value, RejectionCode.CORRUPT_MEDIA.sentence


async def _all(*parts: Coroutine[Any, Any, None]) -> None:
    """Await all; when one fails, end the others before its error goes on."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        await asyncio.gather(*tasks)
    except (Exception, asyncio.CancelledError):
        # Not GeneratorExit: a worker that drops the run from its cache lets nothing be awaited.
        for task in tasks:
            await _end(task)
        raise


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait until it is over; its own error gives way to the first one."""
    task.cancel()
    try:
        await task
    except (asyncio.CancelledError, ActivityError):
        return
