"""People, sessions and posts; rights on posts; a chain of hashes over the audit log.

Revision 0002, after 0001.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


AUDIT_CHAIN = """
CREATE FUNCTION audit_entry_text(entry audit_log) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_array(
        entry.id, (extract(epoch FROM entry.at) * 1000000)::bigint, entry.actor_id,
        entry.actor_name, entry.action, entry.subject_type, entry.subject_id, entry.request_id,
        entry.detail
    )::text
$$;
CREATE FUNCTION link_audit_entry() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last record;
BEGIN
    -- One transaction links at a time, and only while it commits.
    PERFORM pg_advisory_xact_lock(1633904996);
    SELECT position, hash INTO last FROM audit_links ORDER BY position DESC LIMIT 1;
    INSERT INTO audit_links (position, entry_id, hash) VALUES (
        coalesce(last.position, 0) + 1,
        NEW.id,
        sha256(
            coalesce(last.hash, decode(repeat('00', 32), 'hex'))
            || convert_to(audit_entry_text(NEW), 'UTF8')
        )
    );
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER audit_log_linked
    AFTER INSERT ON audit_log DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION link_audit_entry();
CREATE TRIGGER audit_links_insert_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_links
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
LINK_OLD_ENTRIES = """
WITH RECURSIVE
numbered AS (
    SELECT row_number() OVER (ORDER BY id) AS position, id,
           convert_to(audit_entry_text(a), 'UTF8') AS written
    FROM audit_log a
),
chain AS (
    SELECT position, id, sha256(decode(repeat('00', 32), 'hex') || written) AS hash
    FROM numbered WHERE position = 1
    UNION ALL
    SELECT n.position, n.id, sha256(c.hash || n.written)
    FROM numbered n JOIN chain c ON n.position = c.position + 1
)
INSERT INTO audit_links (position, entry_id, hash) SELECT position, id, hash FROM chain
"""


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS citext")
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.create_table(
        "idempotency_keys",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("scope", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(
        "ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"], unique=False
    )
    op.create_table(
        "audit_links",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["audit_log.id"], name=op.f("fk_audit_links_entry_id_audit_log")
        ),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_audit_links")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_audit_links_entry_id")),
    )
    op.create_table(
        "auth_sessions",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("mode", sa.String(), server_default="bearer", nullable=False),
        sa.Column(
            "methods", postgresql.ARRAY(sa.String()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("user_agent", sa.String(), server_default="", nullable=False),
        sa.Column("ip", postgresql.INET(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "last_used_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "proved_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("second_factor_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_reason", sa.String(), nullable=True),
        sa.CheckConstraint("mode IN ('bearer', 'cookie')", name=op.f("ck_auth_sessions_mode")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_auth_sessions_user_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_auth_sessions")),
    )
    op.create_index(
        "ix_auth_sessions_live",
        "auth_sessions",
        ["user_id"],
        unique=False,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "blocks",
        sa.Column("blocker_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("blocked_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("blocker_id <> blocked_id", name=op.f("ck_blocks_not_oneself")),
        sa.ForeignKeyConstraint(
            ["blocked_id"], ["users.id"], name=op.f("fk_blocks_blocked_id_users")
        ),
        sa.ForeignKeyConstraint(
            ["blocker_id"], ["users.id"], name=op.f("fk_blocks_blocker_id_users")
        ),
        sa.PrimaryKeyConstraint("blocker_id", "blocked_id", name=op.f("pk_blocks")),
    )
    op.create_index("ix_blocks_blocked_id", "blocks", ["blocked_id"], unique=False)
    op.create_table(
        "creator_applications",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("state", sa.String(), server_default="submitted", nullable=False),
        sa.Column("statement", sa.String(), nullable=False),
        sa.Column("decided_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(state = 'submitted') = (decided_at IS NULL)",
            name=op.f("ck_creator_applications_decided_has_a_time"),
        ),
        sa.CheckConstraint(
            "state IN ('submitted', 'approved', 'rejected')",
            name=op.f("ck_creator_applications_state"),
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["users.id"], name=op.f("fk_creator_applications_decided_by_users")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_creator_applications_user_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_creator_applications")),
    )
    op.create_index(
        "ix_creator_applications_state_created_at_id",
        "creator_applications",
        ["state", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "uq_creator_applications_open",
        "creator_applications",
        ["user_id"],
        unique=True,
        postgresql_where=sa.text("state = 'submitted'"),
    )
    op.create_table(
        "follows",
        sa.Column("fan_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("creator_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("fan_id <> creator_id", name=op.f("ck_follows_not_oneself")),
        sa.ForeignKeyConstraint(
            ["creator_id"], ["users.id"], name=op.f("fk_follows_creator_id_users")
        ),
        sa.ForeignKeyConstraint(["fan_id"], ["users.id"], name=op.f("fk_follows_fan_id_users")),
        sa.PrimaryKeyConstraint("fan_id", "creator_id", name=op.f("pk_follows")),
    )
    op.create_index(
        "ix_follows_creator_id_created_at", "follows", ["creator_id", "created_at"], unique=False
    )
    op.create_table(
        "mails",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("address", postgresql.CITEXT(), nullable=False),
        sa.Column(
            "facts",
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
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('verify_email', 'already_registered', 'reset_password', 'security_notice')",
            name=op.f("ck_mails_kind"),
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_mails_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mails")),
    )
    op.create_index(
        "ix_mails_unsent",
        "mails",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("sent_at IS NULL"),
    )
    op.create_index("ix_mails_user_id", "mails", ["user_id"], unique=False)
    op.create_table(
        "passkeys",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column(
            "transports",
            postgresql.ARRAY(sa.String()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("backed_up", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_passkeys_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkeys")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_passkeys_credential_id")),
    )
    op.create_index("ix_passkeys_user_id", "passkeys", ["user_id"], unique=False)
    op.create_table(
        "recovery_codes",
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_recovery_codes_user_id_users")
        ),
        sa.PrimaryKeyConstraint("user_id", "code_hash", name=op.f("pk_recovery_codes")),
    )
    op.create_table(
        "tiers",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("creator_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("price_minor >= 0", name=op.f("ck_tiers_price_minor")),
        sa.CheckConstraint("rank > 0", name=op.f("ck_tiers_rank")),
        sa.ForeignKeyConstraint(
            ["creator_id"], ["users.id"], name=op.f("fk_tiers_creator_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tiers")),
    )
    op.create_index(
        "uq_tiers_creator_id_rank",
        "tiers",
        ["creator_id", "rank"],
        unique=True,
        postgresql_where=sa.text("archived_at IS NULL"),
    )
    op.create_table(
        "totp_secrets",
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("secret_wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_totp_secrets_user_id_users")
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_totp_secrets")),
    )
    op.create_table(
        "auth_challenges",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("session_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("challenge", sa.LargeBinary(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('second_factor', 'passkey_registration', 'passkey_sign_in', 'passkey_step_up')",
            name=op.f("ck_auth_challenges_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["auth_sessions.id"],
            name=op.f("fk_auth_challenges_session_id_auth_sessions"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_auth_challenges_user_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_auth_challenges")),
    )
    op.create_index(
        "ix_auth_challenges_expires_at", "auth_challenges", ["expires_at"], unique=False
    )
    op.create_table(
        "posts",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("creator_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("audience", sa.String(), nullable=False),
        sa.Column("tier_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("price_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("body", sa.String(), server_default="", nullable=False),
        sa.Column("comments_enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("media_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("like_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("comment_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
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
        sa.Column("publish_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pinned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(audience = 'paid') = (price_minor IS NOT NULL) AND (price_minor IS NULL) = (currency IS NULL)",
            name=op.f("ck_posts_paid_has_a_price"),
        ),
        sa.CheckConstraint(
            "(state = 'scheduled') = (publish_at IS NOT NULL)", name=op.f("ck_posts_scheduled")
        ),
        sa.CheckConstraint(
            "audience <> 'tier' OR tier_id IS NOT NULL", name=op.f("ck_posts_tier_is_named")
        ),
        sa.CheckConstraint(
            "audience IN ('public', 'followers', 'subscribers', 'tier', 'paid')",
            name=op.f("ck_posts_audience"),
        ),
        sa.CheckConstraint(
            "state IN ('draft', 'scheduled', 'published', 'deleted')", name=op.f("ck_posts_state")
        ),
        sa.CheckConstraint(
            "state NOT IN ('published') OR published_at IS NOT NULL",
            name=op.f("ck_posts_published_has_a_time"),
        ),
        sa.CheckConstraint(
            "tier_id IS NULL OR audience IN ('tier', 'paid')",
            name=op.f("ck_posts_tier_fits_audience"),
        ),
        sa.CheckConstraint("price_minor > 0", name=op.f("ck_posts_price_minor")),
        sa.ForeignKeyConstraint(
            ["creator_id"], ["users.id"], name=op.f("fk_posts_creator_id_users")
        ),
        sa.ForeignKeyConstraint(["tier_id"], ["tiers.id"], name=op.f("fk_posts_tier_id_tiers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posts")),
    )
    op.create_index(
        "ix_posts_creator_id_created_at_id",
        "posts",
        ["creator_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_posts_creator_id_published_at_id",
        "posts",
        ["creator_id", "published_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'published'"),
    )
    op.create_index(
        "ix_posts_published_at_id",
        "posts",
        ["published_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'published'"),
    )
    op.create_index(
        "ix_posts_scheduled",
        "posts",
        ["publish_at"],
        unique=False,
        postgresql_where=sa.text("state = 'scheduled'"),
    )
    op.create_table(
        "refresh_tokens",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("session_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column(
            "issued_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["auth_sessions.id"],
            name=op.f("fk_refresh_tokens_session_id_auth_sessions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_refresh_tokens")),
    )
    op.create_index("ix_refresh_tokens_session_id", "refresh_tokens", ["session_id"], unique=False)
    op.create_table(
        "comments",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("post_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("author_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.ForeignKeyConstraint(
            ["author_id"], ["users.id"], name=op.f("fk_comments_author_id_users")
        ),
        sa.ForeignKeyConstraint(
            ["deleted_by"], ["users.id"], name=op.f("fk_comments_deleted_by_users")
        ),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name=op.f("fk_comments_post_id_posts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comments")),
    )
    op.create_index("ix_comments_author_id", "comments", ["author_id"], unique=False)
    op.create_index(
        "ix_comments_post_id_created_at_id",
        "comments",
        ["post_id", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "post_likes",
        sa.Column("post_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["post_id"], ["posts.id"], name=op.f("fk_post_likes_post_id_posts")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_post_likes_user_id_users")
        ),
        sa.PrimaryKeyConstraint("post_id", "user_id", name=op.f("pk_post_likes")),
    )
    op.create_index("ix_post_likes_user_id", "post_likes", ["user_id"], unique=False)
    op.create_table(
        "post_media",
        sa.Column("post_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("media_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["media_id"], ["media.id"], name=op.f("fk_post_media_media_id_media")
        ),
        sa.ForeignKeyConstraint(
            ["post_id"], ["posts.id"], name=op.f("fk_post_media_post_id_posts")
        ),
        sa.PrimaryKeyConstraint("post_id", "media_id", name=op.f("pk_post_media")),
        sa.UniqueConstraint(
            "post_id",
            "position",
            deferrable=True,
            initially="DEFERRED",
            name=op.f("uq_post_media_post_id_position"),
        ),
    )
    op.create_index("ix_post_media_media_id", "post_media", ["media_id"], unique=False)
    op.add_column("audit_log", sa.Column("request_id", sa.String(), nullable=True))
    op.create_index("ix_audit_log_action_id", "audit_log", ["action", "id"], unique=False)
    op.create_index("ix_audit_log_actor_id_id", "audit_log", ["actor_id", "id"], unique=False)
    op.add_column(
        "creators",
        sa.Column(
            "blocked_countries",
            postgresql.ARRAY(sa.String(length=2)),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
    )
    op.add_column(
        "creators",
        sa.Column("follower_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
    )
    op.add_column("entitlements", sa.Column("post_id", sa.Uuid(as_uuid=False), nullable=True))
    op.add_column("entitlements", sa.Column("tier_id", sa.Uuid(as_uuid=False), nullable=True))
    op.drop_index(op.f("ix_entitlements_fan_id_creator_id_media_id"), table_name="entitlements")
    op.create_index(
        "ix_entitlements_fan_id_creator_id_media_id_post_id",
        "entitlements",
        ["fan_id", "creator_id", "media_id", "post_id"],
        unique=False,
        postgresql_include=["source", "tier_id", "starts_at", "expires_at", "revoked_at"],
    )
    op.create_foreign_key(
        op.f("fk_entitlements_tier_id_tiers"), "entitlements", "tiers", ["tier_id"], ["id"]
    )
    op.create_foreign_key(
        op.f("fk_entitlements_post_id_posts"), "entitlements", "posts", ["post_id"], ["id"]
    )
    op.add_column("users", sa.Column("email", postgresql.CITEXT(), nullable=True))
    op.add_column(
        "users", sa.Column("email_verified_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column("users", sa.Column("password_hash", sa.String(), nullable=True))
    op.add_column(
        "users", sa.Column("password_changed_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column("users", sa.Column("display_name", sa.String(), nullable=True))
    op.execute(
        "UPDATE users u SET display_name = coalesce("
        "(SELECT c.display_name FROM creators c WHERE c.user_id = u.id), u.handle)"
    )
    op.alter_column("users", "display_name", nullable=False)
    op.drop_column("creators", "display_name")
    op.add_column(
        "users",
        sa.Column(
            "search_text",
            sa.String(),
            sa.Computed("handle || ' ' || lower(display_name)", persisted=True),
            nullable=False,
        ),
    )
    op.add_column("users", sa.Column("bio", sa.String(), server_default="", nullable=False))
    op.add_column("users", sa.Column("avatar_media_id", sa.Uuid(as_uuid=False), nullable=True))
    op.add_column("users", sa.Column("cover_media_id", sa.Uuid(as_uuid=False), nullable=True))
    op.add_column(
        "users",
        sa.Column(
            "settings",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
    )
    op.add_column(
        "users", sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False)
    )
    op.add_column(
        "users",
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
    )
    op.add_column("users", sa.Column("suspended_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_users_email", "users", ["email"], unique=False)
    op.create_index(
        "ix_users_search",
        "users",
        ["search_text"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"search_text": "gin_trgm_ops"},
        postgresql_where=sa.text("role = 'creator' AND deleted_at IS NULL"),
    )
    op.create_index(
        "ix_users_unverified",
        "users",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("email IS NOT NULL AND email_verified_at IS NULL"),
    )
    op.create_index(
        "uq_users_email_verified",
        "users",
        ["email"],
        unique=True,
        postgresql_where=sa.text("email_verified_at IS NOT NULL AND deleted_at IS NULL"),
    )
    op.create_foreign_key(
        "fk_users_cover_media_id_media",
        "users",
        "media",
        ["cover_media_id"],
        ["id"],
        use_alter=True,
    )
    op.create_foreign_key(
        "fk_users_avatar_media_id_media",
        "users",
        "media",
        ["avatar_media_id"],
        ["id"],
        use_alter=True,
    )
    op.create_check_constraint(
        op.f("ck_entitlements_one_subject"), "entitlements", "media_id IS NULL OR post_id IS NULL"
    )
    op.create_check_constraint(
        op.f("ck_entitlements_tier_is_for_all"),
        "entitlements",
        "tier_id IS NULL OR (media_id IS NULL AND post_id IS NULL)",
    )
    op.execute(AUDIT_CHAIN)
    op.execute(LINK_OLD_ENTRIES)


def downgrade() -> None:
    op.execute("DROP TRIGGER audit_log_linked ON audit_log")
    op.execute("DROP FUNCTION link_audit_entry()")
    op.execute("DROP FUNCTION audit_entry_text(audit_log)")
    op.drop_constraint(op.f("ck_entitlements_tier_is_for_all"), "entitlements")
    op.drop_constraint(op.f("ck_entitlements_one_subject"), "entitlements")
    op.drop_constraint("fk_users_avatar_media_id_media", "users", type_="foreignkey")
    op.drop_constraint("fk_users_cover_media_id_media", "users", type_="foreignkey")
    op.drop_index("uq_users_email_verified", table_name="users")
    op.drop_index("ix_users_unverified", table_name="users")
    op.drop_index("ix_users_search", table_name="users")
    op.drop_index("ix_users_email", table_name="users")
    op.drop_column("users", "suspended_at")
    op.drop_column("users", "updated_at")
    op.drop_column("users", "version")
    op.drop_column("users", "settings")
    op.drop_column("users", "cover_media_id")
    op.drop_column("users", "avatar_media_id")
    op.drop_column("users", "bio")
    op.drop_column("users", "search_text")
    op.drop_column("users", "password_changed_at")
    op.drop_column("users", "password_hash")
    op.drop_column("users", "email_verified_at")
    op.drop_column("users", "email")
    op.drop_constraint(op.f("fk_entitlements_post_id_posts"), "entitlements", type_="foreignkey")
    op.drop_constraint(op.f("fk_entitlements_tier_id_tiers"), "entitlements", type_="foreignkey")
    op.drop_index("ix_entitlements_fan_id_creator_id_media_id_post_id", table_name="entitlements")
    op.create_index(
        op.f("ix_entitlements_fan_id_creator_id_media_id"),
        "entitlements",
        ["fan_id", "creator_id", "media_id"],
        unique=False,
    )
    op.drop_column("entitlements", "tier_id")
    op.drop_column("entitlements", "post_id")
    op.add_column("creators", sa.Column("display_name", sa.String(), nullable=True))
    op.execute(
        "UPDATE creators c SET display_name = "
        "(SELECT u.display_name FROM users u WHERE u.id = c.user_id)"
    )
    op.alter_column("creators", "display_name", nullable=False)
    op.drop_column("users", "display_name")
    op.drop_column("creators", "follower_count")
    op.drop_column("creators", "blocked_countries")
    op.drop_index("ix_audit_log_actor_id_id", table_name="audit_log")
    op.drop_index("ix_audit_log_action_id", table_name="audit_log")
    op.drop_column("audit_log", "request_id")
    op.drop_table("post_media")
    op.drop_table("post_likes")
    op.drop_table("comments")
    op.drop_table("refresh_tokens")
    op.drop_table("posts")
    op.drop_table("auth_challenges")
    op.drop_table("totp_secrets")
    op.drop_table("tiers")
    op.drop_table("recovery_codes")
    op.drop_table("passkeys")
    op.drop_table("mails")
    op.drop_table("follows")
    op.drop_table("creator_applications")
    op.drop_table("blocks")
    op.drop_table("auth_sessions")
    op.drop_table("audit_links")
    op.drop_table("idempotency_keys")
    op.execute("DROP EXTENSION pg_trgm")
    op.execute("DROP EXTENSION citext")
