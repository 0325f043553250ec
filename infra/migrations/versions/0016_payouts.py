"""Payouts, their batches, the accounts at Stripe they go to, and the mails that tell of them.

Revision 0016, after 0015.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

KINDS = (
    "kind IN ('verify_email', 'already_registered', 'reset_password', 'change_email', "
    "'security_notice', 'application_decided', 'post_moderated', 'account_moderated'{more})"
)
NEW_KINDS = "'payout_paid', 'payout_failed', 'payout_account'"


def upgrade() -> None:
    op.create_table(
        "payout_batches",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_payout_batches")),
    )
    op.create_table(
        "connected_accounts",
        sa.Column("creator_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("charges_enabled", sa.Boolean(), nullable=False),
        sa.Column("payouts_enabled", sa.Boolean(), nullable=False),
        sa.Column("details_submitted", sa.Boolean(), nullable=False),
        sa.Column(
            "requirements_due",
            postgresql.ARRAY(sa.String()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("disabled_reason", sa.String(), nullable=True),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("default_currency", sa.String(length=3), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["creator_id"], ["users.id"], name=op.f("fk_connected_accounts_creator_id_users")
        ),
        sa.PrimaryKeyConstraint("creator_id", name=op.f("pk_connected_accounts")),
        sa.UniqueConstraint("account_id", name=op.f("uq_connected_accounts_account_id")),
    )
    op.create_table(
        "payout_skips",
        sa.Column("batch_day", sa.Date(), nullable=False),
        sa.Column("creator_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("facts", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.CheckConstraint(
            "reason IN ('account_suspended', 'payouts_blocked', 'payout_account_missing', "
            "'payout_account_incomplete', 'payout_account_disabled', "
            "'payout_currency_differs', 'payout_currency_unknown', 'creator_in_debt', "
            "'earnings_disputed', 'payout_in_progress', 'nothing_available', "
            "'below_payout_minimum', 'platform_balance_short')",
            name=op.f("ck_payout_skips_reason"),
        ),
        sa.ForeignKeyConstraint(
            ["batch_day"],
            ["payout_batches.day"],
            name=op.f("fk_payout_skips_batch_day_payout_batches"),
        ),
        sa.ForeignKeyConstraint(
            ["creator_id"], ["users.id"], name=op.f("fk_payout_skips_creator_id_users")
        ),
        sa.PrimaryKeyConstraint(
            "batch_day", "creator_id", "currency", name=op.f("pk_payout_skips")
        ),
    )
    op.create_index(
        "ix_payout_skips_creator_id_batch_day",
        "payout_skips",
        ["creator_id", "batch_day"],
        unique=False,
    )
    op.create_table(
        "payouts",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("creator_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("batch_day", sa.Date(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column(
            "review_reasons",
            postgresql.ARRAY(sa.String()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_note", sa.String(), nullable=True),
        sa.Column("attention_step", sa.String(), nullable=True),
        sa.Column("attention_reason", sa.String(), nullable=True),
        sa.Column("account_id", sa.String(), nullable=True),
        sa.Column("transfer_id", sa.String(), nullable=True),
        sa.Column("stripe_payout_id", sa.String(), nullable=True),
        sa.Column("reversal_id", sa.String(), nullable=True),
        sa.Column("arrival_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("reserved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(state IN ('settled', 'returned', 'released')) = (closed_at IS NOT NULL)",
            name=op.f("ck_payouts_closed_has_a_time"),
        ),
        sa.CheckConstraint("kind IN ('weekly', 'on_demand')", name=op.f("ck_payouts_kind")),
        sa.CheckConstraint(
            "state <> 'returned' OR reversal_id IS NOT NULL",
            name=op.f("ck_payouts_returned_for_real"),
        ),
        sa.CheckConstraint(
            "state IN ('requested', 'released') OR (amount_minor IS NOT NULL AND account_id "
            "IS NOT NULL)",
            name=op.f("ck_payouts_reserved_has_an_amount"),
        ),
        sa.CheckConstraint(
            "state IN ('requested', 'reserved', 'review', 'transferring', 'funded', "
            "'submitting', 'in_transit', 'paid', 'returning', 'needs_ops', 'settled', "
            "'returned', 'released')",
            name=op.f("ck_payouts_state"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('funded', 'submitting', 'in_transit', 'paid', 'returning', "
            "'needs_ops', 'settled', 'returned') OR transfer_id IS NOT NULL",
            name=op.f("ck_payouts_funded_by_a_transfer"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('in_transit', 'paid', 'settled') OR stripe_payout_id IS NOT NULL",
            name=op.f("ck_payouts_known_to_stripe"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('paid', 'settled') OR paid_at IS NOT NULL",
            name=op.f("ck_payouts_paid_has_a_time"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('released', 'returned') OR reason IS NOT NULL",
            name=op.f("ck_payouts_says_why"),
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_payouts_amount_minor")),
        sa.ForeignKeyConstraint(
            ["batch_day"], ["payout_batches.day"], name=op.f("fk_payouts_batch_day_payout_batches")
        ),
        sa.ForeignKeyConstraint(
            ["creator_id"], ["users.id"], name=op.f("fk_payouts_creator_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payouts")),
        sa.UniqueConstraint("reversal_id", name=op.f("uq_payouts_reversal_id")),
        sa.UniqueConstraint("stripe_payout_id", name=op.f("uq_payouts_stripe_payout_id")),
        sa.UniqueConstraint("transfer_id", name=op.f("uq_payouts_transfer_id")),
    )
    op.create_index(
        "ix_payouts_creator_id_created_at_id",
        "payouts",
        ["creator_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_payouts_open",
        "payouts",
        ["created_at", "id"],
        unique=False,
        postgresql_where=sa.text(
            "state IN ('requested', 'reserved', 'review', 'transferring', 'funded', "
            "'submitting', 'in_transit', 'paid', 'returning', 'needs_ops')"
        ),
    )
    op.create_index(
        "ix_payouts_review",
        "payouts",
        ["created_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'review'"),
    )
    op.create_index(
        "uq_payouts_busy",
        "payouts",
        ["creator_id", "currency"],
        unique=True,
        postgresql_where=sa.text(
            "state IN ('requested', 'reserved', 'review', 'transferring', 'funded', "
            "'submitting', 'returning', 'needs_ops')"
        ),
    )
    _replace_kinds(KINDS.format(more=f", {NEW_KINDS}"))


def downgrade() -> None:
    op.execute(f"DELETE FROM mails WHERE kind IN ({NEW_KINDS})")
    _replace_kinds(KINDS.format(more=""))
    op.drop_index(
        "uq_payouts_busy",
        table_name="payouts",
        postgresql_where=sa.text(
            "state IN ('requested', 'reserved', 'review', 'transferring', 'funded', "
            "'submitting', 'returning', 'needs_ops')"
        ),
    )
    op.drop_index(
        "ix_payouts_review", table_name="payouts", postgresql_where=sa.text("state = 'review'")
    )
    op.drop_index(
        "ix_payouts_open",
        table_name="payouts",
        postgresql_where=sa.text(
            "state IN ('requested', 'reserved', 'review', 'transferring', 'funded', "
            "'submitting', 'in_transit', 'paid', 'returning', 'needs_ops')"
        ),
    )
    op.drop_index("ix_payouts_creator_id_created_at_id", table_name="payouts")
    op.drop_table("payouts")
    op.drop_index("ix_payout_skips_creator_id_batch_day", table_name="payout_skips")
    op.drop_table("payout_skips")
    op.drop_table("connected_accounts")
    op.drop_table("payout_batches")


def _replace_kinds(condition: str) -> None:
    op.drop_constraint(op.f("ck_mails_kind"), "mails")
    op.create_check_constraint(op.f("ck_mails_kind"), "mails", condition)
