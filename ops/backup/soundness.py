"""Whether a platform has all that its rows name: after a restore, and at any time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from sqlalchemy import Engine, NotNullable, create_engine, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from infra.audit import Head, verify
from infra.keyring import KeyRing, UnknownMasterKey, WrappedKeyDamaged
from infra.models import Media, Rendition, TotpSecret, Upload
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
        yield from _keys_that_do_not_open(engine, settings)
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


def _keys_that_do_not_open(engine: Engine, settings: Settings) -> Iterator[str]:
    """One row for each master key that rows name: no backup holds those keys."""
    rings = (
        ("MEDIA_MASTER_KEYS", KeyRing(settings.media_master_keys), _MEDIA_KEYS),
        ("ACCOUNT_MASTER_KEYS", KeyRing(settings.account_master_keys), _ACCOUNT_KEYS),
    )
    with engine.connect() as connection:
        for name, ring, rows in rings:
            for key_id, wrapped in connection.execute(rows):
                try:
                    ring.unwrap(key_id, wrapped)
                except (UnknownMasterKey, WrappedKeyDamaged) as fault:
                    yield f"{name}: {fault}"


_MEDIA_KEYS = (
    select(NotNullable(Media.key_id), NotNullable(Media.key_wrapped))
    .where(*_ALIVE, Media.key_id.is_not(None), Media.key_wrapped.is_not(None))
    .ext(distinct_on(Media.key_id))
    .order_by(Media.key_id)
)
_ACCOUNT_KEYS = (
    select(TotpSecret.key_id, TotpSecret.secret_wrapped)
    .ext(distinct_on(TotpSecret.key_id))
    .order_by(TotpSecret.key_id)
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
