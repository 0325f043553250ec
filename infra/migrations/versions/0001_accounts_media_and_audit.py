"""Accounts, media with their renditions and uploads, and the audit log.

The first revision.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Who may write is not who may rewrite: not even the owner of the tables changes the log
# without switching this off by name, which itself is seen.
AUDIT_LOG_IS_INSERT_ONLY = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is insert-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_log_insert_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("actor_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("actor_name", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject_type", sa.String(), nullable=False),
        sa.Column("subject_id", sa.String(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_index(
        "ix_audit_log_subject_type_subject_id",
        "audit_log",
        ["subject_type", "subject_id"],
        unique=False,
    )
    op.create_table(
        "blocked_hashes",
        sa.Column("pdq_hash", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("pdq_hash", name=op.f("pk_blocked_hashes")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("handle", sa.String(), nullable=False),
        sa.Column("role", sa.String(), server_default="fan", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "role IN ('fan', 'creator', 'moderator', 'admin')", name=op.f("ck_users_role")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("handle", name=op.f("uq_users_handle")),
    )
    op.create_table(
        "creators",
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column(
            "watermark_enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_creators_user_id_users")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_creators")),
    )
    op.create_table(
        "media",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("owner_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("visibility", sa.String(), server_default="private", nullable=False),
        sa.Column("title", sa.String(), nullable=True),
        sa.Column("alt_text", sa.String(), nullable=True),
        sa.Column("file_name", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("original_key", sa.String(), nullable=False),
        sa.Column("original_bytes", sa.BigInteger(), nullable=False),
        sa.Column("original_sha256", sa.String(), nullable=True),
        sa.Column("content_type", sa.String(), nullable=True),
        sa.Column("scan_verdict", sa.String(), nullable=True),
        sa.Column("original_deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retain_original_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("generation", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("published_generation", sa.Integer(), nullable=True),
        sa.Column("workflow_id", sa.String(), nullable=True),
        sa.Column("watermark_text", sa.String(), nullable=True),
        sa.Column("teaser_start_ms", sa.Integer(), nullable=True),
        sa.Column("teaser_duration_ms", sa.Integer(), nullable=True),
        sa.Column("step", sa.String(), nullable=True),
        sa.Column("progress_percent", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("progress_note", sa.String(), nullable=True),
        sa.Column("needs_attention", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("rejection_code", sa.String(), nullable=True),
        sa.Column("rejection_detail", sa.String(), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.Column("thumbhash", sa.String(), nullable=True),
        sa.Column(
            "facts",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("plan", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("moderation_outcome", sa.String(), nullable=True),
        sa.Column(
            "moderation_labels",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
        ),
        sa.Column("pdq_hash", sa.String(), nullable=True),
        sa.Column("key_id", sa.String(), nullable=True),
        sa.Column("key_wrapped", sa.LargeBinary(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("playable_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'rejected') = (rejection_code IS NOT NULL)",
            name=op.f("ck_media_rejected_has_a_code"),
        ),
        sa.CheckConstraint("kind IN ('image', 'video', 'audio')", name=op.f("ck_media_kind")),
        sa.CheckConstraint(
            "purpose IN ('post', 'message', 'avatar', 'cover')", name=op.f("ck_media_purpose")
        ),
        sa.CheckConstraint(
            "state IN ('uploading', 'processing', 'playable', 'ready', 'held', 'rejected', 'failed', 'cancelled', 'expired', 'deleted')",
            name=op.f("ck_media_state"),
        ),
        sa.CheckConstraint(
            "visibility IN ('private', 'gated', 'public')", name=op.f("ck_media_visibility")
        ),
        sa.CheckConstraint(
            "progress_percent BETWEEN 0 AND 100", name=op.f("ck_media_progress_percent")
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_media_owner_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_media")),
    )
    op.create_index(
        "ix_media_owner_id_created_at_id", "media", ["owner_id", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_media_unfinished",
        "media",
        ["updated_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('uploading', 'processing', 'playable')"),
    )
    op.create_index(
        "ix_media_unerased",
        "media",
        ["updated_at"],
        unique=False,
        postgresql_where=sa.text("erased_at IS NULL AND state IN ('deleted', 'expired')"),
    )
    op.create_index(
        "ix_media_erased",
        "media",
        ["erased_at"],
        unique=False,
        postgresql_where=sa.text("erased_at IS NOT NULL"),
    )
    op.create_index(
        "ix_media_retained",
        "media",
        ["retain_original_until"],
        unique=False,
        postgresql_where=sa.text("original_deleted_at IS NULL AND state = 'rejected'"),
    )
    op.create_index(
        "ix_media_regenerated",
        "media",
        ["updated_at"],
        unique=False,
        postgresql_where=sa.text("published_generation > 1"),
    )
    op.create_table(
        "encoded_chunks",
        sa.Column("media_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("rung", sa.String(), nullable=False),
        sa.Column("chunk_index", sa.Integer(), nullable=False),
        sa.Column("first_segment", sa.Integer(), nullable=False),
        sa.Column("segments", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("meta", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["media_id"], ["media.id"], name=op.f("fk_encoded_chunks_media_id_media")
        ),
        sa.PrimaryKeyConstraint(
            "media_id", "generation", "rung", "chunk_index", name=op.f("pk_encoded_chunks")
        ),
    )
    op.create_table(
        "entitlements",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("fan_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("creator_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("media_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column(
            "starts_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "source IN ('subscription', 'unlock', 'gift')", name=op.f("ck_entitlements_source")
        ),
        sa.ForeignKeyConstraint(
            ["creator_id"], ["users.id"], name=op.f("fk_entitlements_creator_id_users")
        ),
        sa.ForeignKeyConstraint(
            ["fan_id"], ["users.id"], name=op.f("fk_entitlements_fan_id_users")
        ),
        sa.ForeignKeyConstraint(
            ["media_id"], ["media.id"], name=op.f("fk_entitlements_media_id_media")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entitlements")),
    )
    op.create_index(
        "ix_entitlements_fan_id_creator_id_media_id",
        "entitlements",
        ["fan_id", "creator_id", "media_id"],
        unique=False,
    )
    op.create_table(
        "renditions",
        sa.Column("id", sa.Uuid(as_uuid=False), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("media_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("content_type", sa.String(), nullable=False),
        sa.Column("bucket", sa.String(), nullable=False),
        sa.Column("object_key", sa.String(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.Column("encrypted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("segments", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column(
            "meta",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "kind IN ('image', 'thumbnail', 'blur', 'poster', 'poster_blur', 'video', 'audio', 'storyboard', 'storyboard_vtt', 'waveform', 'teaser')",
            name=op.f("ck_renditions_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["media_id"], ["media.id"], name=op.f("fk_renditions_media_id_media")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_renditions")),
        sa.UniqueConstraint(
            "media_id",
            "generation",
            "kind",
            "name",
            name=op.f("uq_renditions_media_id_generation_kind_name"),
        ),
    )
    op.create_table(
        "uploads",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("media_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("owner_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("declared_bytes", sa.BigInteger(), nullable=False),
        sa.Column("declared_type", sa.String(), nullable=False),
        sa.Column("declared_sha256", sa.String(), nullable=True),
        sa.Column("object_key", sa.String(), nullable=False),
        sa.Column("multipart_id", sa.String(), nullable=True),
        sa.Column("part_bytes", sa.BigInteger(), nullable=False),
        sa.Column("part_count", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('open', 'completed', 'aborted', 'expired')", name=op.f("ck_uploads_state")
        ),
        sa.ForeignKeyConstraint(["media_id"], ["media.id"], name=op.f("fk_uploads_media_id_media")),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_uploads_owner_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
        sa.UniqueConstraint("media_id", name=op.f("uq_uploads_media_id")),
    )
    op.create_index(
        "ix_uploads_open",
        "uploads",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index("ix_uploads_owner_id_state", "uploads", ["owner_id", "state"], unique=False)
    op.execute(AUDIT_LOG_IS_INSERT_ONLY)


def downgrade() -> None:
    op.drop_table("uploads")
    op.drop_table("renditions")
    op.drop_table("entitlements")
    op.drop_table("encoded_chunks")
    op.drop_table("media")
    op.drop_table("creators")
    op.drop_table("users")
    op.drop_table("blocked_hashes")
    op.drop_table("audit_log")
    op.execute("DROP FUNCTION refuse_change()")
