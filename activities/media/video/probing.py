"""The plan of a video or recording: probe, ladder, passes, chunks, and its key."""

from __future__ import annotations

import os

from activities.errors import typed_failures
from activities.media.children import child_faults
from activities.media.video.plan import StoredPlan, load_detached, local_original
from activities.parts import WorkerParts
from activities.progress import Reporter
from domain.media.states import IngestStep, MediaKind
from domain.media.video import (
    SourceAudio,
    SourceVideo,
    VideoPolicy,
    chunks_for,
    grid_for,
    ladder_for,
    passes_for,
    sample_every_frames,
)
from infra.db import transaction
from infra.models import Media
from infra.queries import ingest
from infra.video.command import media_tools, video_policy
from infra.video.probe import probe
from workflows.declarations import implements
from workflows.media import steps
from workflows.media.messages import RenderInput, VideoPlanned

KEY_BYTES = 16
"""AES-128, as HLS has it (RFC 8216 §4.3.2.4)."""
AUDIO_RENDITIONS = ("aac", "opus")


class PlanActivities:
    """Planning of encodes."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts

    @implements(steps.plan_video)
    def plan_video(self, order: RenderInput) -> VideoPlanned:
        with typed_failures():
            media = load_detached(self._parts, order.media_id, order.generation)
            source = self._probe(order, media)
            plan = plan_for(
                source, video_policy(self._parts.settings), only_renditions=order.only_renditions
            )
            self._write(order, plan)
            return _told(plan)

    def _probe(self, order: RenderInput, media: Media) -> SourceVideo | SourceAudio:
        report = Reporter(self._parts, order.media_id, order.generation, IngestStep.PROBE)
        report.at(0.0)
        settings = self._parts.settings
        with (
            local_original(self._parts, media, report) as original,
            self._parts.scratch.job("probe") as folder,
            report.kept_alive(),
            child_faults(),
        ):
            return probe(
                original,
                policy=video_policy(settings),
                tools=media_tools(settings),
                work_dir=folder,
            )

    def _write(self, order: RenderInput, plan: StoredPlan) -> None:
        source = plan.source
        with transaction(self._parts.engine) as session:
            media = ingest.load_media(
                session, order.media_id, generation=order.generation, lock=True
            )
            media.plan = plan.as_json()
            media.duration_ms = source.duration_ms
            media.facts = {**media.facts, "source": source.as_facts()}
            if isinstance(source, SourceVideo):
                media.kind = MediaKind.VIDEO.value
                media.width, media.height = source.width, source.height
            else:
                media.kind = MediaKind.AUDIO.value
            if media.key_wrapped is None:
                media.key_id, media.key_wrapped = self._parts.keys.wrap(os.urandom(KEY_BYTES))
            ingest.write_progress(
                session,
                media_id=media.id,
                generation=order.generation,
                step=IngestStep.PROBE.value,
                percent=18,
            )


def plan_for(
    source: SourceVideo | SourceAudio,
    policy: VideoPolicy,
    *,
    only_renditions: tuple[str, ...] = (),
) -> StoredPlan:
    """What to encode of a source; all of it, or only the named renditions."""
    if isinstance(source, SourceAudio):
        return StoredPlan(source=source, only_renditions=only_renditions)
    grid = grid_for(source, policy)
    rungs = ladder_for(source, policy)
    wanted = tuple(rung for rung in rungs if not only_renditions or rung.name in only_renditions)
    passes = passes_for(wanted, grid, policy) if wanted else ()
    return StoredPlan(
        source=source,
        only_renditions=only_renditions,
        grid=grid,
        rungs=wanted,
        passes=tuple(tuple(rung.name for rung in rungs_of) for rungs_of in passes),
        chunks=chunks_for(grid, policy),
        sample_every_frames=None if only_renditions else sample_every_frames(grid, policy),
        preset=policy.preset,
    )


def _told(plan: StoredPlan) -> VideoPlanned:
    """What the workflow needs to know of a plan."""
    only = plan.only_renditions
    return VideoPlanned(
        duration_ms=plan.source.duration_ms,
        has_video=bool(plan.rungs),
        has_audio=plan.source.audio is not None,
        rungs=tuple(rung.name for rung in plan.rungs),
        passes=plan.passes,
        chunk_count=len(plan.chunks),
        makes_audio=not only or any(name in only for name in AUDIO_RENDITIONS),
        makes_stills=bool(plan.rungs) and not only,
    )
