"""One pass over one chunk: encode, encrypt, store segment by segment, resume where it stopped."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field
from typing import Any

import structlog
from temporalio import activity

from activities.errors import typed_failures
from activities.media.children import child_faults
from activities.media.video.keys import media_key
from activities.media.video.marking import video_watermark
from activities.media.video.plan import Job, load_job, local_original
from activities.media.video.sharing import ChunkShare
from activities.parts import WorkerParts
from activities.progress import Reporter
from domain.media.hls import segment_iv
from domain.media.renditions import init_key, samples_key, segment_key, stream_prefix
from domain.media.states import IngestStep
from domain.media.video import Chunk, may_copy
from infra.antivirus import ScanVerdict
from infra.db import transaction
from infra.queries import ingest
from infra.storage import PutItem
from infra.video.command import media_tools
from infra.video.encode import EncodedRange, FinishedSegment, Sample, encode_segments
from infra.video.encryption import encrypt_segment
from infra.video.plan import EncodePlan
from infra.video.verify import OutputUnsound
from workflows.declarations import implements
from workflows.media import steps
from workflows.media.messages import EncodedVideo, EncodeVideoInput

log = structlog.get_logger(__name__)

SEGMENT_TYPE = "video/iso.segment"
INIT_TYPE = "video/mp4"


@dataclass
class Stored:
    """Segments of a chunk that lie in storage; what a retry resumes from.

    `by_rung` lists `[duration_ticks, bytes]` of each, as `Rendition.segments` does.
    """

    first_segment: int
    by_rung: dict[str, list[list[int]]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return min((len(segments) for segments in self.by_rung.values()), default=0)

    @property
    def bytes(self) -> int:
        return sum(size for segments in self.by_rung.values() for _, size in segments)

    def cut_to(self, count: int) -> Stored:
        kept = {rung: segments[:count] for rung, segments in self.by_rung.items()}
        return Stored(self.first_segment, kept)

    @classmethod
    def from_heartbeat(cls, chunk: Chunk, rungs: list[str], end_segment: int) -> Stored:
        """What the last attempt had stored; all but the last segment of a finished chunk, so
        that there is always something to encode and its init segments come with it."""
        details = activity.info().heartbeat_details
        told: dict[str, Any] = details[0] if details else {}
        if told.get("first_segment") != chunk.start_segment or set(told["by_rung"]) != set(rungs):
            return cls(chunk.start_segment, {rung: [] for rung in rungs})
        stored = cls(chunk.start_segment, told["by_rung"])
        return stored.cut_to(min(stored.count, end_segment - chunk.start_segment - 1))


class EncodeActivities:
    """Encoding of pictures."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts

    @implements(steps.encode_video)
    def encode_video(self, order: EncodeVideoInput) -> EncodedVideo:
        with typed_failures():
            job = load_job(self._parts, order.media_id, order.generation)
            run = _ChunkRun(self._parts, order, job)
            encoded = run.encode()
            run.write(encoded)
            return EncodedVideo(
                pass_index=order.pass_index,
                chunk_index=order.chunk_index,
                segments=run.stored.count,
                bytes_written=run.stored.bytes,
                resumed_from_segment=run.resumed_from,
            )


class _ChunkRun:
    """One attempt at one chunk."""

    def __init__(self, parts: WorkerParts, order: EncodeVideoInput, job: Job) -> None:
        self._parts = parts
        self._order = order
        self._job = job
        self._chunk = job.plan.chunks[order.chunk_index]
        self._rungs = job.plan.rungs_of(order.pass_index)
        source, self._grid = job.video
        self._source = source
        self._end = self._chunk.end_segment or self._grid.segment_count
        self.stored = Stored.from_heartbeat(
            self._chunk, [rung.name for rung in self._rungs], self._end
        )
        self.resumed_from = self.stored.count
        self._key = media_key(parts, job)
        self._report = Reporter(
            parts,
            order.media_id,
            order.generation,
            IngestStep.TRANSCODE,
            share=ChunkShare(parts.valkey, order, job.plan),
        )

    def encode(self) -> EncodedRange:
        if self.resumed_from:
            log.info("encode resumes", media_id=self._order.media_id, segment=self.resumed_from)
        self._report.at(self._done(0))
        settings = self._parts.settings
        with (
            local_original(self._parts, self._job.media, self._report) as original,
            self._parts.scratch.job("encode") as folder,
            child_faults(),
        ):
            plan = EncodePlan(
                source=self._source,
                grid=self._grid,
                rungs=self._rungs,
                start_segment=self._chunk.start_segment + self.resumed_from,
                end_segment=self._chunk.end_segment,
                sample_every_frames=self._samples_wanted(),
                watermark=video_watermark(self._parts.settings, self._job.media, folder),
                preset=self._job.plan.preset,
                copies_top=self._copies_top(),
            )
            try:
                encoded = encode_segments(
                    source=original,
                    plan=plan,
                    tools=media_tools(settings),
                    work_dir=folder,
                    on_segment=self._store,
                    on_progress=lambda frames: self._report.at(self._done(frames)),
                )
            except OutputUnsound:
                # What is stored can't be trusted, so the next attempt starts anew.
                self._tell(Stored(self._chunk.start_segment, {}), done=0.0)
                raise
            self._store_inits(encoded)
            return encoded

    def _samples_wanted(self) -> int | None:
        return self._job.plan.sample_every_frames if self._order.pass_index == 0 else None

    def _copies_top(self) -> bool:
        """The source's own packets serve as the top rung where they are what we would make."""
        media = self._job.media
        return may_copy(
            self._source,
            self._rungs[-1],
            self._grid,
            has_watermark=media.watermark_text is not None,
            is_clean=media.scan_verdict == ScanVerdict.CLEAN,
        )

    def _done(self, frames: int) -> float:
        """Part of this chunk that is over, from the frames of this attempt."""
        whole = self._grid.start_frame(self._end) - self._grid.start_frame(
            self._chunk.start_segment
        )
        before = self.resumed_from * self._grid.frames_per_segment
        return (before + frames) / max(whole, 1)

    def _store(self, segment: FinishedSegment) -> None:
        """Encrypt and upload one segment of every rung; then it counts for a retry."""
        items: list[PutItem] = []
        for name, path in segment.paths.items():
            iv = segment_iv(self._order.media_id, self._order.generation, name, segment.index)
            sealed = encrypt_segment(path, key=self._key, iv=iv)
            path.unlink()
            items.append(
                PutItem(segment_key(self._prefix(name), segment.index), sealed, SEGMENT_TYPE)
            )
            self.stored.by_rung[name].append([segment.duration_ticks, len(sealed)])
        if segment.samples:
            items.append(self._packed(segment.index, segment.samples))
        self._parts.storage.put_many(self._parts.storage.media, items)
        segments = self._end - self._chunk.start_segment
        self._tell(self.stored, done=self.stored.count / segments)

    def _tell(self, stored: Stored, *, done: float) -> None:
        """Leave word for the next attempt of what lies in storage."""
        self._report.at(
            done,
            resume_from={"first_segment": stored.first_segment, "by_rung": stored.by_rung},
        )

    def _packed(self, index: int, samples: tuple[Sample, ...]) -> PutItem:
        """Samples of one segment as one object, each named by its time in milliseconds."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            for sample in samples:
                archive.write(sample.path, f"{sample.timestamp_ms:09d}.jpg")
                sample.path.unlink()
        key = samples_key(self._order.media_id, self._order.generation, index)
        return PutItem(key, buffer.getvalue(), "application/zip")

    def _store_inits(self, encoded: EncodedRange) -> None:
        """Every chunk of a rung has the same init segment, so each may write it."""
        self._parts.storage.put_many(
            self._parts.storage.media,
            [
                PutItem(init_key(self._prefix(name)), path.read_bytes(), INIT_TYPE)
                for name, path in encoded.inits.items()
            ],
        )

    def _prefix(self, rung: str) -> str:
        return stream_prefix(self._order.media_id, self._order.generation, rung)

    def write(self, encoded: EncodedRange) -> None:
        with transaction(self._parts.engine) as session:
            ingest.load_media(
                session, self._order.media_id, generation=self._order.generation, lock=True
            )
            for rung in self._rungs:
                ingest.upsert_chunk(
                    session,
                    media_id=self._order.media_id,
                    generation=self._order.generation,
                    rung=rung.name,
                    chunk_index=self._chunk.index,
                    first_segment=self._chunk.start_segment,
                    segments=self.stored.by_rung[rung.name],
                    meta={
                        "timescale": encoded.timescale,
                        "codecs": encoded.codecs[rung.name],
                        "was_replaced": encoded.was_replaced,
                    },
                )
