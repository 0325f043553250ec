"""Poster, blurred poster, storyboard and teaser of a video."""

from __future__ import annotations

from pathlib import Path

from activities.errors import typed_failures
from activities.media.children import child_faults
from activities.media.pictures import Picture, store_pictures
from activities.media.video.frames import fetch_samples
from activities.media.video.marking import video_watermark
from activities.media.video.plan import Job, load_job, local_original
from activities.parts import WorkerParts
from activities.progress import Reporter, overall_percent
from domain.media.hls import storyboard_vtt
from domain.media.renditions import StoryboardMeta
from domain.media.states import IngestStep, RenditionKind
from domain.media.video import (
    Rung,
    SourceVideo,
    StoryboardPlan,
    ladder_for,
    storyboard_cues,
    storyboard_for,
)
from infra.db import transaction
from infra.images import RenderedFile, RenderedImage, policy_from, render_poster
from infra.queries import ingest
from infra.queries.ingest import RenditionRow
from infra.video import (
    Sample,
    audio_policy,
    choose_poster,
    make_teaser,
    measure_loudness,
    media_tools,
    poster_frame,
    storyboard_sheets,
    video_policy,
)
from workflows.declarations import implements
from workflows.media import steps
from workflows.media.messages import Finished, MediaRef

POSTER_SIDE_MAX = 2048
TEASER_SHORT_SIDE = 480
VTT_NAME = "storyboard.vtt"


class StillsActivities:
    """What is seen before playing."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts

    @implements(steps.finish_video)
    def finish_video(self, ref: MediaRef) -> Finished:
        with typed_failures(), self._parts.scratch.job("stills") as folder:
            job = load_job(self._parts, ref.media_id, ref.generation)
            run = _StillsRun(self._parts, ref, job, folder)
            return run.finish()


class _StillsRun:
    """One attempt at the stills of one video."""

    def __init__(self, parts: WorkerParts, ref: MediaRef, job: Job, folder: Path) -> None:
        self._parts = parts
        self._ref = ref
        self._media = job.media
        self._source, self._grid = job.video
        self._preset = job.plan.preset
        self._folder = folder
        self._policy = video_policy(parts.settings)
        self._tools = media_tools(parts.settings)
        # Where passes are still to come, theirs is most of the work, and this moves nothing.
        is_last = len(job.plan.passes) == 1
        self._percent_then = (
            overall_percent(IngestStep.FINISH, 1.0)
            if is_last
            else overall_percent(IngestStep.TRANSCODE, job.plan.share_before(1))
        )
        self._report = Reporter(
            parts, ref.media_id, ref.generation, IngestStep.FINISH, silent=not is_last
        )

    def finish(self) -> Finished:
        self._report.at(0.0)
        samples = fetch_samples(self._parts, self._ref, self._folder, self._report)
        with (
            local_original(self._parts, self._media, self._report) as original,
            self._report.kept_alive(),
            child_faults(),
        ):
            poster = self._render_poster(original, samples)
            teaser = self._cut_teaser(original)
        self._report.at(0.6)
        pictures = [self._picture(file) for file in poster.renditions]
        board, tiles = self._storyboard(samples)
        pictures += board
        if teaser is not None:
            pictures.append(teaser)
        store_pictures(self._parts, pictures)
        self._write([picture.row for picture in pictures], poster)
        return Finished(poster=True, storyboard_tiles=tiles, teaser=teaser is not None)

    def _render_poster(self, original: Path, samples: list[Sample]) -> RenderedImage:
        frame = poster_frame(
            source=original,
            facts=self._source,
            sample=choose_poster(samples, duration_ms=self._source.duration_ms),
            size=poster_size(self._source),
            tools=self._tools,
            work_dir=self._folder,
            policy=self._policy,
        )
        out_dir = self._folder / "poster"
        out_dir.mkdir()
        return render_poster(
            self._parts.zygote,
            source=frame,
            out_dir=out_dir,
            policy=policy_from(self._parts.settings),
            watermark_text=self._media.watermark_text,
        )

    def _storyboard(self, samples: list[Sample]) -> tuple[list[Picture], int]:
        """Sheets and the WebVTT that names them; and how many tiles there are."""
        plan = storyboard_for(
            self._grid,
            width=self._source.width,
            height=self._source.height,
            sample_count=len(samples),
            policy=self._policy,
        )
        sheets = [
            self._file(path, RenditionKind.STORYBOARD, "image/jpeg", size=plan.sheet_size(number))
            for number, path in enumerate(storyboard_sheets(samples, plan, folder=self._folder))
        ]
        return [*sheets, self._vtt(plan, [sheet.row.name for sheet in sheets])], len(plan.tiles)

    def _vtt(self, plan: StoryboardPlan, sheets: list[str]) -> Picture:
        path = self._folder / VTT_NAME
        path.write_text(storyboard_vtt(storyboard_cues(plan, sheets)))
        meta = StoryboardMeta(plan, tuple(sheets)).as_meta()
        return self._file(path, RenditionKind.STORYBOARD_VTT, "text/vtt", meta=meta)

    def _cut_teaser(self, original: Path) -> Picture | None:
        """The part that anyone may see, where the creator asked for one."""
        if self._media.teaser_duration_ms is None:
            return None
        track = self._source.audio
        rung = teaser_rung(ladder_for(self._source, self._policy))
        path = make_teaser(
            source=original,
            facts=self._source,
            grid=self._grid,
            rung=rung,
            start_ms=self._media.teaser_start_ms or 0,
            duration_ms=self._media.teaser_duration_ms,
            watermark=video_watermark(self._parts.settings, self._media, self._folder),
            measured=measure_loudness(original, track, tools=self._tools, work_dir=self._folder)
            if track is not None
            else None,
            audio_policy=audio_policy(self._parts.settings),
            tools=self._tools,
            work_dir=self._folder,
            preset=self._preset,
        )
        size = (rung.width, rung.height)
        return self._file(path, RenditionKind.TEASER, "video/mp4", size=size)

    def _file(
        self,
        path: Path,
        kind: RenditionKind,
        content_type: str,
        *,
        size: tuple[int, int] = (0, 0),
        meta: dict[str, object] | None = None,
    ) -> Picture:
        file = RenderedFile(
            name=path.name,
            kind=kind,
            path=path,
            content_type=content_type,
            width=size[0],
            height=size[1],
            bytes=path.stat().st_size,
        )
        return self._picture(file, meta)

    def _picture(self, file: RenderedFile, meta: dict[str, object] | None = None) -> Picture:
        return Picture.of(
            self._parts,
            file,
            media_id=self._ref.media_id,
            generation=self._ref.generation,
            meta=meta,
        )

    def _write(self, rows: list[RenditionRow], poster: RenderedImage) -> None:
        with transaction(self._parts.engine) as session:
            media = ingest.load_media(
                session, self._ref.media_id, generation=self._ref.generation, lock=True
            )
            ingest.upsert_renditions(
                session, media_id=media.id, generation=self._ref.generation, rows=rows
            )
            media.thumbhash = poster.thumbhash
            ingest.write_progress(
                session,
                media_id=media.id,
                generation=self._ref.generation,
                step=IngestStep.FINISH.value,
                percent=self._percent_then,
            )


def poster_size(source: SourceVideo) -> tuple[int, int]:
    """The source's upright size, scaled to a longest side of at most 2048; even sides."""
    longest = max(source.width, source.height)
    factor = min(1.0, POSTER_SIDE_MAX / longest)
    width, height = (max(2, round(side * factor / 2) * 2) for side in (source.width, source.height))
    return width, height


def teaser_rung(rungs: tuple[Rung, ...]) -> Rung:
    """480p, or the largest rung below it, or the smallest there is."""
    fitting = [rung for rung in rungs if min(rung.width, rung.height) <= TEASER_SHORT_SIDE]
    return fitting[-1] if fitting else rungs[0]
