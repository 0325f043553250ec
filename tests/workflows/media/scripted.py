"""Scripted activities: they do as a test says, so that orchestration alone is on trial."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from domain.media.states import MediaKind, MediaState
from workflows.auditing import AuditInput, record_audit
from workflows.declarations import implements
from workflows.media import steps
from workflows.media.messages import (
    DeletedMedia,
    DeleteMediaInput,
    EncodedAudio,
    EncodedVideo,
    EncodeVideoInput,
    Finished,
    Inspection,
    Judged,
    MarkInput,
    MediaRef,
    Published,
    PublishInput,
    RenderedImage,
    RenderInput,
    SweepReport,
    VideoPlanned,
)
from workflows.policies import REJECTED

LONG = VideoPlanned(
    duration_ms=185_000,
    has_video=True,
    has_audio=True,
    rungs=("240p", "360p", "480p"),
    passes=(("360p",), ("240p", "480p")),
    chunk_count=3,
)
SHORT = VideoPlanned(
    duration_ms=5_000,
    has_video=True,
    has_audio=True,
    rungs=("240p", "360p"),
    passes=(("240p", "360p"),),
)
SOUND_ONLY = VideoPlanned(duration_ms=9_000, has_video=False, has_audio=True)


def rejected(code: str) -> ApplicationError:
    return ApplicationError(code, code, "a sentence", type=REJECTED, non_retryable=True)


def broken(message: str = "storage does not answer") -> ApplicationError:
    """A fault that retries can't mend: stands for a budget that is spent at once."""
    return ApplicationError(message, type="StepBlocked", non_retryable=True)


@dataclass
class Scripted:
    """Every activity of ingest. `fails[name]` holds the errors its next runs raise."""

    kind: MediaKind = MediaKind.IMAGE
    plan: VideoPlanned = SHORT
    moderation: str = "pass"
    fails: dict[str, list[ApplicationError]] = field(default_factory=dict)
    hangs: set[str] = field(default_factory=set)
    fails_at_cancellation: bool = False
    """What hangs ends with an error of its own instead of its cancellation."""
    calls: list[str] = field(default_factory=list)
    marks: list[MarkInput] = field(default_factory=list)
    audits: list[AuditInput] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    published: list[PublishInput] = field(default_factory=list)
    most_at_once: int = 0
    _running: int = 0

    async def _did(self, name: str) -> None:
        self.calls.append(name)
        errors = self.fails.get(name, [])
        if errors:
            raise errors.pop(0)
        if name in self.hangs:
            try:
                while True:
                    activity.heartbeat()
                    await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                self.cancelled.append(name)
                if self.fails_at_cancellation:
                    raise broken("this run no longer speaks for the media") from None
                raise

    @implements(steps.inspect_original)
    async def inspect_original(self, ref: MediaRef) -> Inspection:
        await self._did("inspect_original")
        return Inspection(self.kind, "image/jpeg", 10, "0" * 64, "clean")

    @implements(steps.render_image)
    async def render_image(self, order: RenderInput) -> RenderedImage:
        await self._did("render_image")
        return RenderedImage(12, 1000, self.moderation)

    @implements(steps.plan_video)
    async def plan_video(self, order: RenderInput) -> VideoPlanned:
        await self._did("plan_video")
        return self.plan

    @implements(steps.encode_video)
    async def encode_video(self, order: EncodeVideoInput) -> EncodedVideo:
        self._running += 1
        self.most_at_once = max(self.most_at_once, self._running)
        try:
            await self._did(f"encode_video:{order.pass_index}:{order.chunk_index}")
            await asyncio.sleep(0.02)
        finally:
            self._running -= 1
        return EncodedVideo(order.pass_index, order.chunk_index, 15, 1000)

    @implements(steps.encode_audio)
    async def encode_audio(self, ref: MediaRef) -> EncodedAudio:
        await self._did("encode_audio")
        return EncodedAudio(("aac",), 100)

    @implements(steps.finish_video)
    async def finish_video(self, ref: MediaRef) -> Finished:
        await self._did("finish_video")
        return Finished(poster=True, storyboard_tiles=50)

    @implements(steps.judge_video)
    async def judge_video(self, ref: MediaRef) -> Judged:
        await self._did("judge_video")
        return Judged(self.moderation, 5)

    @implements(steps.publish_media)
    async def publish_media(self, order: PublishInput) -> Published:
        await self._did(f"publish_media:{order.stage}")
        self.published.append(order)
        held = self.moderation == "hold" or "moderate" in order.skipped_steps
        return Published(MediaState.HELD.value if held else order.stage, 12)

    @implements(steps.mark_media)
    async def mark_media(self, mark: MarkInput) -> None:
        self.marks.append(mark)

    @implements(steps.discard_generation)
    async def discard_generation(self, ref: MediaRef) -> None:
        self.calls.append("discard_generation")

    @implements(record_audit)
    async def record_audit(self, entry: AuditInput) -> None:
        self.audits.append(entry)

    @implements(steps.erase_media)
    async def erase_media(self, order: DeleteMediaInput) -> DeletedMedia:
        await self._did("erase_media")
        return DeletedMedia(objects=3)

    @implements(steps.sweep_media)
    async def sweep_media(self) -> SweepReport:
        await self._did("sweep_media")
        return SweepReport()

    def activities(self) -> list[Callable[..., Any]]:
        return [
            self.inspect_original,
            self.render_image,
            self.plan_video,
            self.encode_video,
            self.encode_audio,
            self.finish_video,
            self.judge_video,
            self.publish_media,
            self.mark_media,
            self.discard_generation,
            self.record_audit,
            self.erase_media,
            self.sweep_media,
        ]
