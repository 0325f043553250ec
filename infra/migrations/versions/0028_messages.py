"""Conversations and messages, which may be sold as posts are.

Revision 0028, after 0027.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
INCLUDED = ["source", "tier_id", "starts_at", "expires_at", "revoked_at"]


def upgrade() -> None:
    _create_conversations()
    _create_messages()
    _create_message_media()
    _let_messages_be_sold()
    _let_rights_be_on_messages()
    op.execute(
        "CREATE TRIGGER message_media_access_changed AFTER INSERT OR DELETE ON message_media "
        "FOR EACH ROW EXECUTE FUNCTION tell_media_carried()"
    )
    op.execute(
        "CREATE TRIGGER messages_access_changed AFTER UPDATE ON messages FOR EACH ROW "
        "WHEN (OLD.state IS DISTINCT FROM NEW.state) "
        "EXECUTE FUNCTION tell_access_change('sender_id')"
    )


def _create_conversations() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("creator_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("fan_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_message_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint("creator_id <> fan_id", name=op.f("ck_conversations_two_people")),
        sa.ForeignKeyConstraint(
            ["creator_id"], ["users.id"], name=op.f("fk_conversations_creator_id_users")
        ),
        sa.ForeignKeyConstraint(
            ["fan_id"], ["users.id"], name=op.f("fk_conversations_fan_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
        sa.UniqueConstraint(
            "creator_id", "fan_id", name=op.f("uq_conversations_creator_id_fan_id")
        ),
    )
    for person in ("creator_id", "fan_id"):
        op.create_index(
            f"ix_conversations_{person}_last_message_at_id",
            "conversations",
            [person, "last_message_at", "id"],
        )


def _create_messages() -> None:
    op.create_table(
        "messages",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("conversation_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("sender_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("client_msg_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("body", sa.String(), server_default="", nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("media_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('sent', 'deleted')", name=op.f("ck_messages_state")),
        sa.CheckConstraint(
            "(state = 'deleted') = (deleted_at IS NOT NULL)", name=op.f("ck_messages_deleted_at")
        ),
        sa.CheckConstraint(
            "(price_minor IS NULL) = (currency IS NULL)",
            name=op.f("ck_messages_price_has_a_currency"),
        ),
        sa.CheckConstraint("price_minor > 0", name=op.f("ck_messages_price_minor")),
        sa.CheckConstraint("seq > 0", name=op.f("ck_messages_seq")),
        sa.CheckConstraint("body <> '' OR media_count > 0", name=op.f("ck_messages_not_empty")),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("fk_messages_conversation_id_conversations"),
        ),
        sa.ForeignKeyConstraint(
            ["sender_id"], ["users.id"], name=op.f("fk_messages_sender_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint("conversation_id", "seq", name=op.f("uq_messages_conversation_id_seq")),
        sa.UniqueConstraint(
            "sender_id", "client_msg_id", name=op.f("uq_messages_sender_id_client_msg_id")
        ),
    )


def _create_message_media() -> None:
    op.create_table(
        "message_media",
        sa.Column("message_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("media_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("receiver_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.ForeignKeyConstraint(
            ["media_id"], ["media.id"], name=op.f("fk_message_media_media_id_media")
        ),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_message_media_message_id_messages")
        ),
        sa.ForeignKeyConstraint(
            ["receiver_id"], ["users.id"], name=op.f("fk_message_media_receiver_id_users")
        ),
        sa.PrimaryKeyConstraint("message_id", "media_id", name=op.f("pk_message_media")),
        sa.UniqueConstraint(
            "message_id", "position", name=op.f("uq_message_media_message_id_position")
        ),
    )
    op.create_index(
        "ix_message_media_media_id_receiver_id", "message_media", ["media_id", "receiver_id"]
    )


def _let_messages_be_sold() -> None:
    op.add_column("unlocks", sa.Column("message_id", sa.Uuid(as_uuid=False), nullable=True))
    op.create_foreign_key(
        op.f("fk_unlocks_message_id_messages"), "unlocks", "messages", ["message_id"], ["id"]
    )
    op.alter_column("unlocks", "post_id", nullable=True)
    op.create_check_constraint(
        op.f("ck_unlocks_one_item"), "unlocks", "num_nonnulls(post_id, message_id) = 1"
    )
    op.create_index(
        "uq_unlocks_live_message",
        "unlocks",
        ["fan_id", "message_id"],
        unique=True,
        postgresql_where=sa.text("state <> 'ended'"),
    )
    op.create_index(
        "ix_unlocks_message_id",
        "unlocks",
        ["message_id"],
        postgresql_where=sa.text("message_id IS NOT NULL"),
    )


def _let_rights_be_on_messages() -> None:
    op.add_column("entitlements", sa.Column("message_id", sa.Uuid(as_uuid=False), nullable=True))
    op.create_foreign_key(
        op.f("fk_entitlements_message_id_messages"),
        "entitlements",
        "messages",
        ["message_id"],
        ["id"],
    )
    for name in ("one_subject", "tier_is_for_all"):
        op.drop_constraint(op.f(f"ck_entitlements_{name}"), "entitlements")
    op.create_check_constraint(
        op.f("ck_entitlements_one_subject"),
        "entitlements",
        "num_nonnulls(media_id, post_id, message_id) <= 1",
    )
    op.create_check_constraint(
        op.f("ck_entitlements_tier_is_for_all"),
        "entitlements",
        "tier_id IS NULL OR num_nonnulls(media_id, post_id, message_id) = 0",
    )
    op.drop_index("ix_entitlements_fan_id_creator_id_media_id_post_id", table_name="entitlements")
    op.create_index(
        "ix_entitlements_fan_id_creator_id_item",
        "entitlements",
        ["fan_id", "creator_id", "media_id", "post_id", "message_id"],
        postgresql_include=INCLUDED,
    )


def downgrade() -> None:
    """Fails where a message was bought: what was paid for is not forgotten."""
    op.drop_index("ix_entitlements_fan_id_creator_id_item", table_name="entitlements")
    for name in ("one_subject", "tier_is_for_all"):
        op.drop_constraint(op.f(f"ck_entitlements_{name}"), "entitlements")
    op.create_check_constraint(
        op.f("ck_entitlements_one_subject"), "entitlements", "media_id IS NULL OR post_id IS NULL"
    )
    op.create_check_constraint(
        op.f("ck_entitlements_tier_is_for_all"),
        "entitlements",
        "tier_id IS NULL OR (media_id IS NULL AND post_id IS NULL)",
    )
    op.create_index(
        "ix_entitlements_fan_id_creator_id_media_id_post_id",
        "entitlements",
        ["fan_id", "creator_id", "media_id", "post_id"],
        postgresql_include=INCLUDED,
    )
    op.alter_column("unlocks", "post_id", nullable=False)
    op.drop_column("entitlements", "message_id")
    op.drop_index("ix_unlocks_message_id", table_name="unlocks")
    op.drop_index("uq_unlocks_live_message", table_name="unlocks")
    op.drop_constraint(op.f("ck_unlocks_one_item"), "unlocks")
    op.drop_column("unlocks", "message_id")
    op.drop_table("message_media")
    op.drop_table("messages")
    op.drop_table("conversations")
