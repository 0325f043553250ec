"""Sample frames: small JPEGs that the encode left, and the judgement that rests on them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from activities.errors import typed_failures
from activities.media.judging import judge_pictures, record_judgement
from activities.parts import WorkerParts
from activities.progress import Reporter
from domain.errors import Unavailable
from domain.media.renditions import samples_prefix
from domain.media.states import IngestStep
from infra.db import transaction
from infra.queries import ingest
from infra.video.encode import Sample
from workflows.declarations import implements
from workflows.media import steps
from workflows.media.messages import Judged, MediaRef


def fetch_samples(
    parts: WorkerParts, ref: MediaRef, folder: Path, report: Reporter
) -> list[Sample]:
    """All sample frames of a generation, in the order of time, as files in `folder`.

    Raises:
        Unavailable: there are none; the encode always leaves at least one.
    """
    samples: list[Sample] = []
    bucket = parts.storage.media
    for stored in parts.storage.list_prefix(bucket, samples_prefix(ref.media_id, ref.generation)):
        with zipfile.ZipFile(io.BytesIO(parts.storage.read(bucket, stored.key))) as archive:
            for name in archive.namelist():
                path = folder / Path(name).name
                path.write_bytes(archive.read(name))
                samples.append(Sample(int(path.stem), path))
        report.alive()
    if not samples:
        raise Unavailable("the encode's sample frames are not in storage", media_id=ref.media_id)
    return sorted(samples, key=lambda sample: sample.timestamp_ms)


class JudgeActivities:
    """Moderation of videos."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts

    @implements(steps.judge_video)
    def judge_video(self, ref: MediaRef) -> Judged:
        with typed_failures(), self._parts.scratch.job("judge") as folder:
            report = Reporter(self._parts, ref.media_id, ref.generation, IngestStep.MODERATE)
            samples = fetch_samples(self._parts, ref, folder, report)
            judged = judge_pictures(
                self._parts, [sample.path for sample in samples], on_frame=lambda _: report.alive()
            )
            with transaction(self._parts.engine) as session:
                media = ingest.load_media(
                    session, ref.media_id, generation=ref.generation, lock=True
                )
                record_judgement(media, judged)
            return Judged(moderation=judged.verdict.outcome.value, frames=judged.frames_seen)
