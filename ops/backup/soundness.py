"""Whether a platform has all that its rows name: after a restore, and at any time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from sqlalchemy import Engine, create_engine, select
from sqlalchemy.orm import Session

from infra.audit import Head, verify
from infra.models import Media, Rendition, Upload
from infra.queries.ledger import trial_balance
from infra.settings import Settings
from infra.storage import Storage


def unsound(
    settings: Settings, storage: Storage, *, audit_head: str | None = None
) -> Iterator[str]:
    """Sentences that say what is not as it should be; none where all is well.

    Args:
        audit_head: what the audit log has to go through, as `POSITION:HASH`.
    """
    engine = create_engine(settings.database_url)
    try:
        yield from _missing_objects(engine, storage)
        expected = Head.parse(audit_head) if audit_head is not None else None
        yield from (f"audit log: {fault}" for fault in verify(engine, expected=expected).faults)
        with Session(engine) as session:
            for currency, total in trial_balance(session).sums.items():
                if total != 0:
                    yield f"ledger: the accounts in {currency} add up to {total}, not to zero"
    finally:
        engine.dispose()


def _missing_objects(engine: Engine, storage: Storage) -> Iterator[str]:
    # One bucket's keys at a time: about 100 bytes each.
    with engine.connect() as connection:
        keys = _keys(storage, storage.quarantine)
        for media_id, key in connection.execute(_ORIGINALS):
            if _below(keys, key) == 0:
                yield f"media {media_id}: its original is missing ({key})"
        for bucket in (storage.media, storage.public):
            keys = _keys(storage, bucket)
            for media_id, name, key, segments in connection.execute(
                _RENDITIONS.where(Rendition.bucket == bucket)
            ):
                wanted = 1 if segments is None else len(segments)
                found = _below(keys, key)
                if found < wanted:
                    yield f"media {media_id}: {wanted - found} of {name} are missing ({key})"


_ALIVE = (Media.deleted_at.is_(None), Media.erased_at.is_(None))
_ORIGINALS = (
    select(Media.id, Media.original_key)
    .join(Upload, Upload.media_id == Media.id)
    .where(*_ALIVE, Media.original_deleted_at.is_(None), Upload.state == "completed")
    .order_by(Media.id)
)
_RENDITIONS = (
    select(Rendition.media_id, Rendition.name, Rendition.object_key, Rendition.segments)
    .join(Media, Media.id == Rendition.media_id)
    .where(*_ALIVE, Rendition.generation == Media.published_generation)
    .order_by(Rendition.media_id, Rendition.name)
)


def _keys(storage: Storage, bucket: str) -> list[str]:
    return sorted(stored.key for stored in storage.list_prefix(bucket, ""))


def _below(keys: list[str], key: str) -> int:
    """How many keys are this one, or begin with it as a folder."""
    folder = key.rstrip("/") + "/"
    exact = bisect_left(keys, key)
    is_there = exact < len(keys) and keys[exact] == key
    after = folder[:-1] + chr(ord("/") + 1)
    return is_there + bisect_left(keys, after) - bisect_left(keys, folder)
