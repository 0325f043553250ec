"""Charges, and what fans pay with.

Revision 0014, after 0013.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "charges",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("fan_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("creator_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("tax_minor", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("payment_method_id", sa.String(), nullable=False),
        sa.Column("off_session", sa.Boolean(), nullable=False),
        sa.Column("workflow_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("payment_intent_id", sa.String(), nullable=True),
        sa.Column("stripe_charge_id", sa.String(), nullable=True),
        sa.Column("client_secret", sa.String(), nullable=True),
        sa.Column("fingerprint", sa.String(), nullable=True),
        sa.Column("decline_code", sa.String(), nullable=True),
        sa.Column("decline_kind", sa.String(), nullable=True),
        sa.Column("refunded_minor", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("disputed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fee_recorded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'paid') = (paid_at IS NOT NULL)", name=op.f("ck_charges_paid_has_a_time")
        ),
        sa.CheckConstraint(
            "(state IN ('paid', 'declined', 'canceled')) = (closed_at IS NOT NULL)",
            name=op.f("ck_charges_closed_has_a_time"),
        ),
        sa.CheckConstraint(
            "client_secret IS NULL OR state = 'requires_action'",
            name=op.f("ck_charges_secret_while_needed"),
        ),
        sa.CheckConstraint(
            "decline_kind IS NULL OR decline_kind IN ('soft', 'hard', 'needs_fan')",
            name=op.f("ck_charges_decline_kind"),
        ),
        sa.CheckConstraint(
            "kind IN ('subscription', 'unlock', 'tip', 'gift')", name=op.f("ck_charges_kind")
        ),
        sa.CheckConstraint(
            "state <> 'paid' OR (payment_intent_id IS NOT NULL AND stripe_charge_id IS NOT NULL)",
            name=op.f("ck_charges_paid_is_known_to_stripe"),
        ),
        sa.CheckConstraint(
            "state = 'paid' OR (refunded_minor = 0 AND disputed_at IS NULL)",
            name=op.f("ck_charges_only_paid_is_given_back"),
        ),
        sa.CheckConstraint(
            "state IN ('open', 'requires_action', 'processing', 'paid', 'declined', 'canceled')",
            name=op.f("ck_charges_state"),
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_charges_amount_minor")),
        sa.CheckConstraint("generation > 0", name=op.f("ck_charges_generation")),
        sa.CheckConstraint(
            "refunded_minor >= 0 AND refunded_minor <= amount_minor",
            name=op.f("ck_charges_refunded_minor"),
        ),
        sa.CheckConstraint(
            "tax_minor >= 0 AND tax_minor < amount_minor", name=op.f("ck_charges_tax_minor")
        ),
        sa.ForeignKeyConstraint(
            ["creator_id"], ["users.id"], name=op.f("fk_charges_creator_id_users")
        ),
        sa.ForeignKeyConstraint(["fan_id"], ["users.id"], name=op.f("fk_charges_fan_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charges")),
        sa.UniqueConstraint("payment_intent_id", name=op.f("uq_charges_payment_intent_id")),
        sa.UniqueConstraint("stripe_charge_id", name=op.f("uq_charges_stripe_charge_id")),
        sa.UniqueConstraint(
            "subject_id", "step", "generation", name=op.f("uq_charges_subject_id_step_generation")
        ),
    )
    op.create_index(
        "ix_charges_creator_id_paid_at_id",
        "charges",
        ["creator_id", "paid_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'paid'"),
    )
    op.create_index(
        "ix_charges_fan_id_created_at_id", "charges", ["fan_id", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_charges_fee_missing",
        "charges",
        ["paid_at"],
        unique=False,
        postgresql_where=sa.text("state = 'paid' AND fee_recorded_at IS NULL"),
    )
    op.create_index(
        "ix_charges_under_way",
        "charges",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('open', 'requires_action', 'processing')"),
    )
    op.create_index(
        "uq_charges_one_paid",
        "charges",
        ["subject_id", "step"],
        unique=True,
        postgresql_where=sa.text("state = 'paid'"),
    )
    op.create_index(
        "uq_charges_one_under_way",
        "charges",
        ["subject_id", "step"],
        unique=True,
        postgresql_where=sa.text("state IN ('open', 'requires_action', 'processing')"),
    )
    op.create_table(
        "payment_methods",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("fan_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("brand", sa.String(), nullable=False),
        sa.Column("last4", sa.String(), nullable=False),
        sa.Column("exp_month", sa.SmallInteger(), nullable=False),
        sa.Column("exp_year", sa.SmallInteger(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=True),
        sa.Column("country", sa.String(), nullable=True),
        sa.Column("is_default", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "added_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "NOT is_default OR removed_at IS NULL", name=op.f("ck_payment_methods_default_is_there")
        ),
        sa.CheckConstraint("exp_month BETWEEN 1 AND 12", name=op.f("ck_payment_methods_exp_month")),
        sa.ForeignKeyConstraint(
            ["fan_id"], ["users.id"], name=op.f("fk_payment_methods_fan_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_methods")),
    )
    op.create_index(
        "ix_payment_methods_fan_id_added_at",
        "payment_methods",
        ["fan_id", "added_at"],
        unique=False,
    )
    op.create_index(
        "ix_payment_methods_fingerprint", "payment_methods", ["fingerprint"], unique=False
    )
    op.create_index(
        "uq_payment_methods_default",
        "payment_methods",
        ["fan_id"],
        unique=True,
        postgresql_where=sa.text("is_default"),
    )
    op.create_table(
        "stripe_customers",
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_stripe_customers_user_id_users")
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_stripe_customers")),
        sa.UniqueConstraint("customer_id", name=op.f("uq_stripe_customers_customer_id")),
    )


def downgrade() -> None:
    op.drop_table("charges")
    op.drop_table("payment_methods")
    op.drop_table("stripe_customers")
