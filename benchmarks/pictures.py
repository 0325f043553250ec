"""Pictures that have arrived and wait for their run: rows and originals, put there at once.

Uploading is not what is measured here, so what `POST /uploads/{id}/complete` leaves behind is
written without it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

import psycopg
from sqlalchemy import Engine

from domain.ids import ingest_workflow_id
from domain.media.states import MediaKind, MediaState, Purpose
from infra.db import transaction
from infra.ids import new_id
from infra.models import Media, Upload
from infra.storage import PutItem, Storage

LOOK_SECONDS = 0.01
CONTENT_TYPE = "image/jpeg"


def lay_ready(
    engine: Engine, storage: Storage, *, owner_id: str, photo: bytes, count: int
) -> list[str]:
    """So many media in state `processing` with their originals in quarantine; their ids.

    All are the same picture under another hash: JPEG readers ignore what follows the end mark.
    """
    ids = [new_id() for _ in range(count)]
    bodies = {media_id: photo + media_id.encode() for media_id in ids}
    storage.put_many(
        storage.quarantine,
        [PutItem(f"o/{each}", body, CONTENT_TYPE) for each, body in bodies.items()],
    )
    now = datetime.now(UTC)
    with transaction(engine) as session:
        session.add_all(_media(each, owner_id, len(bodies[each])) for each in ids)
        session.flush()
        session.add_all(_upload(each, owner_id, bodies[each], now) for each in ids)
    return ids


def _media(media_id: str, owner_id: str, size_bytes: int) -> Media:
    return Media(
        id=media_id,
        owner_id=owner_id,
        kind=MediaKind.IMAGE,
        purpose=Purpose.POST,
        state=MediaState.PROCESSING,
        file_name="photo.jpg",
        original_key=f"o/{media_id}",
        original_bytes=size_bytes,
        watermark_text="@bench",
        workflow_id=ingest_workflow_id(media_id),
    )


def _upload(media_id: str, owner_id: str, body: bytes, now: datetime) -> Upload:
    return Upload(
        id=new_id(),
        media_id=media_id,
        owner_id=owner_id,
        state="completed",
        declared_bytes=len(body),
        declared_type=CONTENT_TYPE,
        declared_sha256=hashlib.sha256(body).hexdigest(),
        object_key=f"o/{media_id}",
        part_bytes=len(body),
        part_count=1,
        expires_at=now + timedelta(hours=1),
        completed_at=now,
    )


def states_of(connection: psycopg.Connection, ids: Collection[str]) -> dict[str, str]:
    rows = connection.execute(
        "SELECT id::text, state FROM media WHERE id = ANY(%s::uuid[])", (list(ids),)
    )
    return dict(rows.fetchall())


def ready_count(connection: psycopg.Connection, ids: Collection[str]) -> int:
    row = connection.execute(
        "SELECT count(*) FROM media WHERE id = ANY(%s::uuid[]) AND state = 'ready'", (list(ids),)
    ).fetchone()
    return int(row[0]) if row else 0


def wait_until_ready(
    connection: psycopg.Connection,
    ids: Sequence[str],
    *,
    at_least: int | None = None,
    quiet_seconds: float,
) -> tuple[int, float]:
    """How many are ready, and the moment (`time.monotonic`) at which the last of them was seen.

    Returns as soon as all are, or `at_least` so many; or when none became ready for so long.
    """
    wanted = len(ids) if at_least is None else min(at_least, len(ids))
    seen, moved = -1, time.monotonic()
    while True:
        count = ready_count(connection, ids)
        if count != seen:
            seen, moved = count, time.monotonic()
        if seen >= wanted or time.monotonic() - moved > quiet_seconds:
            return seen, moved
        time.sleep(LOOK_SECONDS)


def stored_of(
    connection: psycopg.Connection, storage: Storage, ids: Sequence[str]
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Keys of each media's renditions as storage lists them, and as rows name them."""
    objects = {
        media_id: [
            found.key
            for bucket, root in (
                (storage.media, "m"),
                (storage.public, "p"),
                (storage.media, "work"),
            )
            for found in storage.list_prefix(bucket, f"{root}/{media_id}/")
        ]
        for media_id in ids
    }
    rows: dict[str, list[str]] = {}
    for media_id, key in connection.execute(
        "SELECT media_id::text, object_key FROM renditions WHERE media_id = ANY(%s::uuid[])",
        (list(ids),),
    ):
        rows.setdefault(media_id, []).append(key)
    return objects, rows
