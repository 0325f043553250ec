"""Where a rendered picture goes: its key, its bucket, its row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from activities.parts import WorkerParts
from infra.images import RenderedFile
from infra.queries.ingest import RenditionRow
from infra.storage import IMMUTABLE, PRIVATE_IMMUTABLE, PutItem


@dataclass(frozen=True)
class Picture:
    """A file on scratch and the row that will describe it."""

    path: Path
    row: RenditionRow

    @classmethod
    def of(
        cls,
        parts: WorkerParts,
        file: RenderedFile,
        *,
        media_id: str,
        generation: int,
        meta: dict[str, Any] | None = None,
    ) -> Picture:
        """Previews that a stranger may fetch go to the public bucket, all else does not."""
        public = file.kind.is_public_preview
        root = "p" if public else "m"
        return cls(
            path=file.path,
            row=RenditionRow(
                kind=file.kind,
                name=file.name,
                content_type=file.content_type,
                bucket=parts.storage.public if public else parts.storage.media,
                object_key=f"{root}/{media_id}/{generation}/{file.name}",
                bytes=file.bytes,
                width=file.width or None,
                height=file.height or None,
                meta=meta or {},
            ),
        )

    @property
    def put(self) -> PutItem:
        return PutItem(
            key=self.row.object_key,
            body=self.path,
            content_type=self.row.content_type,
            cache_control=IMMUTABLE if self.row.kind.is_public_preview else PRIVATE_IMMUTABLE,
        )


def store_pictures(parts: WorkerParts, pictures: Iterable[Picture]) -> None:
    """Upload side by side; all or an error."""
    by_bucket: dict[str, list[PutItem]] = {}
    for picture in pictures:
        by_bucket.setdefault(picture.row.bucket, []).append(picture.put)
    for bucket, items in by_bucket.items():
        parts.storage.put_many(bucket, items)
