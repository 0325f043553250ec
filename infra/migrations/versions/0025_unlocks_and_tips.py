"""Unlocks, tips, and cards that are being added.

Revision 0025, after 0024.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "card_setups",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("fan_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("setup_intent_id", sa.String(), nullable=True),
        sa.Column("client_secret", sa.String(), nullable=True),
        sa.Column("decline_code", sa.String(), nullable=True),
        sa.Column("payment_method_id", sa.String(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'open') = (closed_at IS NULL)", name=op.f("ck_card_setups_closed_at")
        ),
        sa.CheckConstraint(
            "(state = 'succeeded') = (payment_method_id IS NOT NULL)",
            name=op.f("ck_card_setups_card"),
        ),
        sa.CheckConstraint(
            "client_secret IS NULL OR state = 'open'",
            name=op.f("ck_card_setups_secret_while_needed"),
        ),
        sa.CheckConstraint(
            "state IN ('open', 'succeeded', 'expired')", name=op.f("ck_card_setups_state")
        ),
        sa.ForeignKeyConstraint(["fan_id"], ["users.id"], name=op.f("fk_card_setups_fan_id_users")),
        sa.ForeignKeyConstraint(
            ["payment_method_id"],
            ["payment_methods.id"],
            name=op.f("fk_card_setups_payment_method_id_payment_methods"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_card_setups")),
        sa.UniqueConstraint("setup_intent_id", name=op.f("uq_card_setups_setup_intent_id")),
    )
    op.create_index(
        "ix_card_setups_fan_id_created_at", "card_setups", ["fan_id", "created_at"], unique=False
    )
    op.create_index(
        "ix_card_setups_open",
        "card_setups",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "tips",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("fan_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("creator_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("post_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("note", sa.String(), server_default="", nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("payment_method_id", sa.String(), nullable=False),
        sa.Column("decline_code", sa.String(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken_back_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken_back_reason", sa.String(), nullable=True),
        sa.CheckConstraint(
            "(state = 'taken_back') = (taken_back_at IS NOT NULL) AND (taken_back_at IS NULL) = (taken_back_reason IS NULL)",
            name=op.f("ck_tips_taken_back_has_a_reason"),
        ),
        sa.CheckConstraint("state <> 'sent' OR sent_at IS NOT NULL", name=op.f("ck_tips_sent_at")),
        sa.CheckConstraint(
            "state IN ('charging', 'requires_action', 'processing', 'sent', 'declined', 'canceled', 'taken_back')",
            name=op.f("ck_tips_state"),
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_tips_amount_minor")),
        sa.CheckConstraint("fan_id <> creator_id", name=op.f("ck_tips_not_to_oneself")),
        sa.ForeignKeyConstraint(
            ["creator_id"], ["users.id"], name=op.f("fk_tips_creator_id_users")
        ),
        sa.ForeignKeyConstraint(["fan_id"], ["users.id"], name=op.f("fk_tips_fan_id_users")),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name=op.f("fk_tips_post_id_posts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tips")),
    )
    op.create_index(
        "ix_tips_creator_id_sent_at_id",
        "tips",
        ["creator_id", "sent_at", "id"],
        unique=False,
        postgresql_where=sa.text("sent_at IS NOT NULL"),
    )
    op.create_index(
        "ix_tips_fan_id_created_at_id", "tips", ["fan_id", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_tips_post_id",
        "tips",
        ["post_id"],
        unique=False,
        postgresql_where=sa.text("post_id IS NOT NULL"),
    )
    op.create_index(
        "ix_tips_under_way",
        "tips",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('charging', 'requires_action', 'processing')"),
    )
    op.create_table(
        "unlocks",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("fan_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("creator_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("post_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("list_minor", sa.BigInteger(), nullable=False),
        sa.Column("discount_minor", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("payment_method_id", sa.String(), nullable=False),
        sa.Column("decline_code", sa.String(), nullable=True),
        sa.Column("quoted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("unlocked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_reason", sa.String(), nullable=True),
        sa.CheckConstraint(
            "(state = 'ended') = (ended_at IS NOT NULL) AND (ended_at IS NULL) = (ended_reason IS NULL)",
            name=op.f("ck_unlocks_ended_has_a_reason"),
        ),
        sa.CheckConstraint(
            "ended_reason IS NULL OR ended_reason IN ('refunded', 'disputed', 'item_gone')",
            name=op.f("ck_unlocks_ended_reason"),
        ),
        sa.CheckConstraint(
            "state <> 'unlocked' OR unlocked_at IS NOT NULL", name=op.f("ck_unlocks_unlocked_at")
        ),
        sa.CheckConstraint(
            "state IN ('charging', 'requires_action', 'processing', 'unlocked', 'declined', 'canceled', 'refunding', 'ended')",
            name=op.f("ck_unlocks_state"),
        ),
        sa.CheckConstraint(
            "discount_minor >= 0 AND discount_minor < list_minor", name=op.f("ck_unlocks_amounts")
        ),
        sa.CheckConstraint("generation > 0", name=op.f("ck_unlocks_generation")),
        sa.ForeignKeyConstraint(
            ["creator_id"], ["users.id"], name=op.f("fk_unlocks_creator_id_users")
        ),
        sa.ForeignKeyConstraint(["fan_id"], ["users.id"], name=op.f("fk_unlocks_fan_id_users")),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name=op.f("fk_unlocks_post_id_posts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unlocks")),
    )
    op.create_index(
        "ix_unlocks_fan_id_created_at_id", "unlocks", ["fan_id", "created_at", "id"], unique=False
    )
    op.create_index("ix_unlocks_post_id", "unlocks", ["post_id"], unique=False)
    op.create_index(
        "ix_unlocks_under_way",
        "unlocks",
        ["quoted_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('charging', 'requires_action', 'processing')"),
    )
    op.create_index(
        "uq_unlocks_live",
        "unlocks",
        ["fan_id", "post_id"],
        unique=True,
        postgresql_where=sa.text("state <> 'ended'"),
    )
    op.add_column("charges", sa.Column("tax_calculation_id", sa.String(), nullable=True))
    op.add_column("charges", sa.Column("tax_transaction_id", sa.String(), nullable=True))
    op.drop_index(op.f("ix_charges_fee_missing"), table_name="charges")
    op.create_index(
        "ix_charges_unfinished",
        "charges",
        ["paid_at"],
        unique=False,
        postgresql_where=sa.text(
            "state = 'paid' AND (fee_recorded_at IS NULL OR (tax_calculation_id IS NOT NULL AND tax_transaction_id IS NULL))"
        ),
    )
    op.add_column(
        "payment_methods", sa.Column("detached_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.create_index(
        "ix_payment_methods_to_detach",
        "payment_methods",
        ["removed_at"],
        unique=False,
        postgresql_where=sa.text("removed_at IS NOT NULL AND detached_at IS NULL"),
    )
    op.create_check_constraint(
        op.f("ck_payment_methods_detached_at"),
        "payment_methods",
        "detached_at IS NULL OR removed_at IS NOT NULL",
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_payment_methods_detached_at"), "payment_methods")
    op.drop_index("ix_payment_methods_to_detach", table_name="payment_methods")
    op.drop_column("payment_methods", "detached_at")
    op.drop_index("ix_charges_unfinished", table_name="charges")
    op.create_index(
        "ix_charges_fee_missing",
        "charges",
        ["paid_at"],
        unique=False,
        postgresql_where=sa.text("state = 'paid' AND fee_recorded_at IS NULL"),
    )
    op.drop_column("charges", "tax_transaction_id")
    op.drop_column("charges", "tax_calculation_id")
    op.drop_table("unlocks")
    op.drop_table("tips")
    op.drop_table("card_setups")
