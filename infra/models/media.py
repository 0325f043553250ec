"""Media, their renditions, and the uploads they came from."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from domain.media.states import MediaKind, MediaState, Purpose, RenditionKind, Visibility
from infra.models.base import Base, Bytes64, CreatedAt, Id, Moment, one_of

UPLOAD_STATES = ("open", "completed", "aborted", "expired")


class Media(Base):
    __tablename__ = "media"
    __table_args__ = (
        CheckConstraint(one_of("state", MediaState), name="state"),
        CheckConstraint(one_of("kind", MediaKind), name="kind"),
        CheckConstraint(one_of("visibility", Visibility), name="visibility"),
        CheckConstraint(one_of("purpose", Purpose), name="purpose"),
        CheckConstraint("progress_percent BETWEEN 0 AND 100", name="progress_percent"),
        CheckConstraint(
            "(state = 'rejected') = (rejection_code IS NOT NULL)", name="rejected_has_a_code"
        ),
        Index("ix_media_owner_id_created_at_id", "owner_id", "created_at", "id"),
        Index(
            "ix_media_unfinished",
            "updated_at",
            postgresql_where=text("state IN ('uploading', 'processing', 'playable')"),
        ),
        # What the sweep looks for: a handful of rows among all that there ever were.
        Index(
            "ix_media_unerased",
            "updated_at",
            postgresql_where=text("erased_at IS NULL AND state IN ('deleted', 'expired')"),
        ),
        Index("ix_media_erased", "erased_at", postgresql_where=text("erased_at IS NOT NULL")),
        Index(
            "ix_media_retained",
            "retain_original_until",
            postgresql_where=text("original_deleted_at IS NULL AND state = 'rejected'"),
        ),
        Index(
            "ix_media_regenerated",
            "updated_at",
            postgresql_where=text("published_generation > 1"),
        ),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    owner_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str]
    purpose: Mapped[str]
    state: Mapped[str]
    visibility: Mapped[str] = mapped_column(server_default=Visibility.PRIVATE.value)
    title: Mapped[str | None]
    alt_text: Mapped[str | None]
    file_name: Mapped[str]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    """Counts owner edits; the ETag is made from it."""

    original_key: Mapped[str]
    original_bytes: Mapped[Bytes64]
    original_sha256: Mapped[str | None]
    content_type: Mapped[str | None]
    """Sniffed from the content, not as declared."""
    scan_verdict: Mapped[str | None]
    original_deleted_at: Mapped[Moment | None]
    retain_original_until: Mapped[Moment | None]

    generation: Mapped[int] = mapped_column(server_default=text("1"))
    """The latest run of ingest; re-processing adds one."""
    published_generation: Mapped[int | None]
    """The generation whose renditions are served."""
    workflow_id: Mapped[str | None]
    watermark_text: Mapped[str | None]
    teaser_start_ms: Mapped[int | None]
    teaser_duration_ms: Mapped[int | None]

    step: Mapped[str | None]
    progress_percent: Mapped[int] = mapped_column(server_default=text("0"))
    progress_note: Mapped[str | None]
    needs_attention: Mapped[bool] = mapped_column(server_default=text("false"))
    rejection_code: Mapped[str | None]
    rejection_detail: Mapped[str | None]

    width: Mapped[int | None]
    height: Mapped[int | None]
    duration_ms: Mapped[int | None]
    thumbhash: Mapped[str | None]
    """base64; about 25 bytes."""
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    """What the probe found: codecs, frame rate, tracks; for people, not for rules."""
    plan: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    """How the current generation is encoded, fixed when it was probed, so that chunks encoded
    by workers of different versions still fit together."""
    moderation_outcome: Mapped[str | None]
    moderation_labels: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"))
    pdq_hash: Mapped[str | None]
    """64 hex digits of the picture or poster."""
    key_id: Mapped[str | None]
    key_wrapped: Mapped[bytes | None]
    """The media's AES-128 key, wrapped by master key `key_id`."""

    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    playable_at: Mapped[Moment | None]
    ready_at: Mapped[Moment | None]
    deleted_at: Mapped[Moment | None]
    erased_at: Mapped[Moment | None]
    """When every object of a deleted media was gone from storage."""


class Upload(Base):
    __tablename__ = "uploads"
    __table_args__ = (
        CheckConstraint(f"state IN {UPLOAD_STATES!r}", name="state"),
        Index("ix_uploads_open", "expires_at", postgresql_where=text("state = 'open'")),
        Index("ix_uploads_owner_id_state", "owner_id", "state"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    media_id: Mapped[Id] = mapped_column(ForeignKey("media.id"), unique=True)
    owner_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    state: Mapped[str]
    declared_bytes: Mapped[Bytes64]
    declared_type: Mapped[str]
    declared_sha256: Mapped[str | None]
    object_key: Mapped[str]
    multipart_id: Mapped[str | None]
    """S3's upload id; null for a single PUT."""
    part_bytes: Mapped[Bytes64]
    part_count: Mapped[int]
    expires_at: Mapped[Moment]
    created_at: Mapped[CreatedAt]
    completed_at: Mapped[Moment | None]


class Rendition(Base):
    """One thing that can be served: a picture, a video rung, an audio track, a sprite sheet.

    For HLS renditions `object_key` is the prefix of the segments, and `segments` lists
    `[duration_ticks, bytes]` of each in order, ticks in `meta.timescale`.
    """

    __tablename__ = "renditions"
    __table_args__ = (
        CheckConstraint(one_of("kind", RenditionKind), name="kind"),
        UniqueConstraint("media_id", "generation", "kind", "name"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, server_default=func.uuidv7())
    media_id: Mapped[Id] = mapped_column(ForeignKey("media.id"))
    generation: Mapped[int]
    kind: Mapped[str]
    name: Mapped[str]
    content_type: Mapped[str]
    bucket: Mapped[str]
    object_key: Mapped[str]
    bytes: Mapped[Bytes64]
    width: Mapped[int | None]
    height: Mapped[int | None]
    duration_ms: Mapped[int | None]
    encrypted: Mapped[bool] = mapped_column(server_default=text("false"))
    segments: Mapped[list[Any] | None] = mapped_column(JSONB)
    meta: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    created_at: Mapped[CreatedAt]


class EncodedChunk(Base):
    """One rung of one chunk, encoded and uploaded; joined into a rendition when all are there.

    `segments` lists `[duration_ticks, bytes]` in order, as in `Rendition.segments`.
    """

    __tablename__ = "encoded_chunks"

    media_id: Mapped[Id] = mapped_column(ForeignKey("media.id"), primary_key=True)
    generation: Mapped[int] = mapped_column(primary_key=True)
    rung: Mapped[str] = mapped_column(primary_key=True)
    chunk_index: Mapped[int] = mapped_column(primary_key=True)
    first_segment: Mapped[int]
    segments: Mapped[list[Any]] = mapped_column(JSONB)
    meta: Mapped[dict[str, Any]] = mapped_column(JSONB)


class BlockedHash(Base):
    """A perceptual hash that may not be published (PDQ, 256 bits as 64 hex digits)."""

    __tablename__ = "blocked_hashes"

    pdq_hash: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str]
    note: Mapped[str | None]
    created_at: Mapped[CreatedAt]
