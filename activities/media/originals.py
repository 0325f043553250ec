"""Fetching an original to local disk, as the very bytes that were scanned."""

from __future__ import annotations

import hashlib
from pathlib import Path

from activities.parts import WorkerParts
from activities.progress import Reporter
from domain.errors import MediaRejected
from domain.media.rejections import RejectionCode
from infra.models import Media

BLOCK_BYTES = 1024 * 1024


def fetch_original(parts: WorkerParts, media: Media, path: Path, report: Reporter) -> None:
    """Write the original of an inspected media to `path`.

    The address of an upload holds for a while after the scan, so its owner may have sent
    other bytes meanwhile, and those nobody has scanned.

    Raises:
        MediaRejected: `hash_mismatch`; nothing is left at `path`.
    """
    storage = parts.storage
    storage.download(
        storage.quarantine, media.original_key, path, on_bytes=lambda _: report.alive()
    )
    if _sha256_of(path, report) != media.original_sha256:
        path.unlink()
        raise MediaRejected(RejectionCode.HASH_MISMATCH)


def _sha256_of(path: Path, report: Reporter) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
            report.alive()
    return digest.hexdigest()
