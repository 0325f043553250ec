"""The first step: one read of the original gives size, SHA-256, type and the scan's verdict."""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from temporalio import activity

from activities.errors import typed_failures
from activities.parts import WorkerParts
from activities.progress import Reporter
from domain.errors import MediaRejected, StepBlocked, Unavailable
from domain.media.rejections import RejectionCode
from domain.media.sniffing import Sniffed, kinds_agree, sniff
from domain.media.states import IngestStep, MediaKind
from infra.antivirus import NotScanned, ScanReport, ScanVerdict, StreamFacts
from infra.db import transaction
from infra.models import Media, Upload
from infra.queries import ingest
from workflows.declarations import implements
from workflows.media import steps
from workflows.media.messages import Inspection, MediaRef

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Announced:
    """What the uploader said of the file."""

    key: str
    kind: MediaKind
    size_bytes: int
    content_type: str
    sha256: str | None


class InspectActivities:
    """Inspection of originals in quarantine."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts

    @implements(steps.inspect_original)
    def inspect_original(self, ref: MediaRef) -> Inspection:
        with typed_failures():
            announced = self._announced(ref)
            facts = self._read_once(ref, announced)
            _check_arrival(announced, facts)
            self._check_scan(ref, facts.scan)
            sniffed = _check_type(announced, facts.head)
            self._check_size(sniffed.kind, announced, facts.size_bytes)
            return self._write(ref, announced, facts, sniffed)

    def _announced(self, ref: MediaRef) -> _Announced:
        with transaction(self._parts.engine) as session:
            media = ingest.load_media(session, ref.media_id, generation=ref.generation)
            upload = session.query(Upload).filter_by(media_id=media.id).one()
            return _Announced(
                key=media.original_key,
                kind=MediaKind(media.kind),
                size_bytes=upload.declared_bytes,
                content_type=upload.declared_type,
                sha256=upload.declared_sha256,
            )

    def _read_once(self, ref: MediaRef, announced: _Announced) -> StreamFacts:
        report = Reporter(self._parts, ref.media_id, ref.generation, IngestStep.INSPECT)
        report.at(0.0)
        storage = self._parts.storage
        return self._parts.antivirus.inspect_stream(
            storage.read_blocks(storage.quarantine, announced.key),
            expected_bytes=announced.size_bytes,
            on_bytes=lambda done: report.at(done / max(announced.size_bytes, 1)),
        )

    def _check_scan(self, ref: MediaRef, scan: ScanReport) -> None:
        """Fail closed: only an exact `clean` passes, or what policy says of files too large.

        Raises:
            MediaRejected: infected.
            Unavailable: not scanned for a reason that may pass.
            StepBlocked: too large to scan, and policy wants a person to decide.
        """
        if scan.verdict is ScanVerdict.CLEAN:
            return
        if scan.verdict is ScanVerdict.INFECTED:
            log.warning("infected original", media_id=ref.media_id, signature=scan.signature)
            raise MediaRejected(RejectionCode.INFECTED, signature=scan.signature)
        if scan.reason is not NotScanned.OVER_LIMIT:
            raise Unavailable(
                f"the virus scanner gave no verdict: {scan.detail or scan.reason}",
                code="not_scanned",
            )
        if self._parts.settings.scan_over_limit_policy == "block":
            raise StepBlocked(
                "the file is larger than the virus scanner can take; raise the scanner's limits "
                "and CLAMD_STREAM_BYTES_MAX, or set SCAN_OVER_LIMIT_POLICY=reencode_only, and "
                "retry",
                code="scan_over_limit",
            )
        log.warning("original too large to scan stays sealed", media_id=ref.media_id)

    def _check_size(self, kind: MediaKind, announced: _Announced, size_bytes: int) -> None:
        """The limit of the kind that it is, not of the kind it was announced as."""
        settings = self._parts.settings
        limit_bytes = {
            MediaKind.IMAGE: settings.upload_image_bytes_max,
            MediaKind.AUDIO: settings.upload_audio_bytes_max,
            MediaKind.VIDEO: settings.upload_video_bytes_max,
        }[kind]
        if kind is not announced.kind and size_bytes > limit_bytes:
            raise MediaRejected(
                RejectionCode.TYPE_MISMATCH, size_bytes=size_bytes, limit_bytes=limit_bytes
            )

    def _write(
        self, ref: MediaRef, announced: _Announced, facts: StreamFacts, sniffed: Sniffed
    ) -> Inspection:
        verdict = facts.scan.verdict.value
        with transaction(self._parts.engine) as session:
            media = ingest.load_media(session, ref.media_id, generation=ref.generation, lock=True)
            media.kind = sniffed.kind.value
            media.original_bytes = facts.size_bytes
            media.original_sha256 = facts.sha256
            media.content_type = sniffed.content_type
            media.scan_verdict = verdict
            media.facts = {**media.facts, **_mismatch(announced, sniffed, media)}
            media.workflow_id = activity.info().workflow_id
            ingest.write_progress(
                session,
                media_id=media.id,
                generation=ref.generation,
                step=IngestStep.INSPECT.value,
                percent=15,
            )
        return Inspection(
            kind=sniffed.kind,
            content_type=sniffed.content_type,
            size_bytes=facts.size_bytes,
            sha256=facts.sha256,
            verdict=verdict,
        )


def _check_arrival(announced: _Announced, facts: StreamFacts) -> None:
    if facts.size_bytes == 0:
        raise MediaRejected(RejectionCode.EMPTY_FILE)
    if facts.size_bytes != announced.size_bytes:
        raise MediaRejected(
            RejectionCode.SIZE_MISMATCH,
            announced_bytes=announced.size_bytes,
            arrived_bytes=facts.size_bytes,
        )
    if announced.sha256 is not None and announced.sha256 != facts.sha256:
        raise MediaRejected(RejectionCode.HASH_MISMATCH)


def _check_type(announced: _Announced, head: bytes) -> Sniffed:
    """What the content is; extension and announced type don't count.

    Raises:
        MediaRejected: nothing we show, or another kind than announced.
    """
    sniffed = sniff(head)
    if sniffed is None or not sniffed.is_accepted:
        found = sniffed.content_type if sniffed is not None else "unknown"
        raise MediaRejected(RejectionCode.UNSUPPORTED_TYPE, found=found)
    if not kinds_agree(announced.kind, sniffed):
        raise MediaRejected(
            RejectionCode.TYPE_MISMATCH,
            announced=announced.kind.value,
            found=sniffed.content_type,
        )
    return sniffed


def _mismatch(announced: _Announced, sniffed: Sniffed, media: Media) -> dict[str, str]:
    """A note for people when the content is another type than announced."""
    if sniffed.content_type == announced.content_type:
        return {}
    log.info(
        "type differs from the announced one",
        media_id=media.id,
        announced=announced.content_type,
        found=sniffed.content_type,
    )
    return {"announced_type": announced.content_type}
