"""The sound track: one piece for the whole media, levelled, encrypted, stored."""

from __future__ import annotations

from typing import Any

import orjson

from activities.errors import typed_failures
from activities.media.children import child_faults
from activities.media.video.keys import media_key
from activities.media.video.plan import Job, load_job, local_original
from activities.parts import WorkerParts
from activities.progress import Reporter
from domain.errors import Conflict
from domain.media.audio import AudioRenditionPlan, audio_renditions_for
from domain.media.hls import average_bandwidth, peak_bandwidth, segment_iv
from domain.media.renditions import StreamMeta, init_key, segment_key, stream_prefix
from domain.media.states import IngestStep, RenditionKind
from domain.media.video import AudioTrack, SourceVideo
from infra.db import transaction
from infra.queries import ingest
from infra.queries.ingest import RenditionRow
from infra.storage import PutItem
from infra.video.audio import AudioRendition, EncodedSound, audio_policy, encode_audio
from infra.video.command import media_tools
from infra.video.encryption import encrypt_segment
from infra.video.fragments import CutSegment
from workflows.declarations import implements
from workflows.media import steps
from workflows.media.messages import EncodedAudio, MediaRef

SEGMENT_TYPE = "audio/iso.segment"
INIT_TYPE = "audio/mp4"
WAVEFORM_NAME = "waveform.json"


class SoundActivities:
    """Encoding of sound."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts

    @implements(steps.encode_audio)
    def encode_audio(self, ref: MediaRef) -> EncodedAudio:
        with typed_failures():
            job = load_job(self._parts, ref.media_id, ref.generation)
            run = _SoundRun(self._parts, ref, job)
            sound = run.encode()
            rows = [run.row(rendition) for rendition in sound.renditions]
            if sound.waveform is not None:
                rows.append(run.store_waveform(sound.waveform.as_json()))
            self._write(ref, job, sound, rows)
            return EncodedAudio(
                renditions=tuple(row.name for row in rows),
                bytes_written=sum(row.bytes for row in rows),
            )

    def _write(
        self, ref: MediaRef, job: Job, sound: EncodedSound, rows: list[RenditionRow]
    ) -> None:
        with transaction(self._parts.engine) as session:
            media = ingest.load_media(session, ref.media_id, generation=ref.generation, lock=True)
            ingest.upsert_renditions(
                session, media_id=media.id, generation=ref.generation, rows=rows
            )
            media.facts = {**media.facts, "sound": _facts(sound)}
            if not isinstance(job.plan.source, SourceVideo):
                ingest.write_progress(
                    session,
                    media_id=media.id,
                    generation=ref.generation,
                    step=IngestStep.AUDIO.value,
                    percent=90,
                )


class _SoundRun:
    """One attempt at the sound of one media."""

    def __init__(self, parts: WorkerParts, ref: MediaRef, job: Job) -> None:
        self._parts = parts
        self._ref = ref
        self._job = job
        self._key = media_key(parts, job)
        self._is_recording = not isinstance(job.plan.source, SourceVideo)
        self._segments: dict[str, list[list[int]]] = {}
        # Beside pictures, sound moves no percentage: theirs takes longer.
        self._report = Reporter(
            parts, ref.media_id, ref.generation, IngestStep.AUDIO, silent=not self._is_recording
        )

    @property
    def _track(self) -> AudioTrack:
        track = self._job.plan.source.audio
        if track is None:
            raise Conflict("there is no sound to encode", media_id=self._ref.media_id)
        return track

    def encode(self) -> EncodedSound:
        policy = audio_policy(self._parts.settings)
        self._report.at(0.0)
        with (
            local_original(self._parts, self._job.media, self._report) as original,
            self._parts.scratch.job("sound") as folder,
            child_faults(),
        ):
            sound = encode_audio(
                source=original,
                track=self._track,
                renditions=self._wanted(
                    audio_renditions_for(is_recording=self._is_recording, policy=policy)
                ),
                policy=policy,
                tools=media_tools(self._parts.settings),
                work_dir=folder,
                wants_waveform=self._is_recording and not self._job.plan.only_renditions,
                on_segment=self._store,
                on_progress=self._report.at,
            )
            self._store_inits(sound)
            return sound

    def _wanted(self, plans: tuple[AudioRenditionPlan, ...]) -> list[AudioRenditionPlan]:
        only = self._job.plan.only_renditions
        return [plan for plan in plans if not only or plan.name in only]

    def _store(self, name: str, cut: CutSegment) -> None:
        iv = segment_iv(self._ref.media_id, self._ref.generation, name, cut.index)
        sealed = encrypt_segment(cut.path, key=self._key, iv=iv)
        cut.path.unlink()
        self._parts.storage.put_bytes(
            self._parts.storage.media,
            segment_key(self._prefix(name), cut.index),
            sealed,
            content_type=SEGMENT_TYPE,
        )
        self._segments.setdefault(name, []).append([cut.duration_ticks, len(sealed)])
        self._report.alive()

    def _store_inits(self, sound: EncodedSound) -> None:
        self._parts.storage.put_many(
            self._parts.storage.media,
            [
                PutItem(init_key(self._prefix(each.name)), each.init.read_bytes(), INIT_TYPE)
                for each in sound.renditions
            ],
        )

    def row(self, rendition: AudioRendition) -> RenditionRow:
        segments = self._segments[rendition.name]
        timed = [(ticks / rendition.timescale, size) for ticks, size in segments]
        return RenditionRow(
            kind=RenditionKind.AUDIO,
            name=rendition.name,
            content_type=INIT_TYPE,
            bucket=self._parts.storage.media,
            object_key=self._prefix(rendition.name),
            bytes=sum(size for _, size in segments),
            duration_ms=rendition.duration_ms,
            encrypted=True,
            segments=segments,
            meta=StreamMeta(
                generation=self._ref.generation,
                timescale=rendition.timescale,
                codecs=rendition.codecs,
                bandwidth=peak_bandwidth(timed),
                average_bandwidth=average_bandwidth(timed),
                channels=rendition.channels,
                language=self._track.language,
                is_default=rendition.name == "aac",
            ).as_meta(),
        )

    def store_waveform(self, peaks: dict[str, Any]) -> RenditionRow:
        body = orjson.dumps(peaks)
        key = f"m/{self._ref.media_id}/{self._ref.generation}/{WAVEFORM_NAME}"
        self._parts.storage.put_bytes(
            self._parts.storage.media, key, body, content_type="application/json"
        )
        return RenditionRow(
            kind=RenditionKind.WAVEFORM,
            name=WAVEFORM_NAME,
            content_type="application/json",
            bucket=self._parts.storage.media,
            object_key=key,
            bytes=len(body),
        )

    def _prefix(self, name: str) -> str:
        return stream_prefix(self._ref.media_id, self._ref.generation, name)


def _facts(sound: EncodedSound) -> dict[str, Any]:
    """For people: how loud the source was, and what was done about it."""
    measured = sound.measured
    return {
        "integrated_lufs": measured.integrated_lufs if measured else None,
        "true_peak_dbtp": measured.true_peak_dbtp if measured else None,
        "treatment": sound.levelling.treatment.value,
        "gain_db": round(sound.levelling.gain_db, 2),
    }
