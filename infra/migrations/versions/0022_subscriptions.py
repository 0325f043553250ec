"""Subscriptions, their history, trials that were used up, gifts, and mails about them.

Revision 0022, after 0021.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

KINDS = (
    "kind IN ("
    "'verify_email', 'already_registered', 'reset_password', 'change_email', "
    "'security_notice', 'application_decided', 'post_moderated', 'account_moderated', "
    "'payout_paid', 'payout_failed', 'payout_account', 'refund', 'sale_refunded', "
    "'dispute'{more})"
)


def upgrade() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("fan_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("creator_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("tier_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("bundle_bps", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("promo_code_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("promo_kind", sa.String(), nullable=True),
        sa.Column("promo_value", sa.Integer(), nullable=True),
        sa.Column("promo_duration", sa.String(), nullable=True),
        sa.Column("promo_months", sa.Integer(), nullable=True),
        sa.Column("trial_days", sa.Integer(), nullable=True),
        sa.Column("trial_notice_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("anchor_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("anchor_months", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("months_begun", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("period_index", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("period_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("period_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "period_paid_minor", sa.BigInteger(), server_default=sa.text("0"), nullable=False
        ),
        sa.Column("payment_method_id", sa.String(), nullable=True),
        sa.Column("charge_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("charge_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("payment_asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("declines", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("retries_done", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("first_declined_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decline_code", sa.String(), nullable=True),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("give_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_tier_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("next_price_minor", sa.BigInteger(), nullable=True),
        sa.Column("next_bundle_bps", sa.Integer(), nullable=True),
        sa.Column("upgrade_tier_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("upgrade_price_minor", sa.BigInteger(), nullable=True),
        sa.Column("upgrade_bundle_bps", sa.Integer(), nullable=True),
        sa.Column("upgrade_cost_minor", sa.BigInteger(), nullable=True),
        sa.Column("upgrades", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("told_price_minor", sa.BigInteger(), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("agreed_price_minor", sa.BigInteger(), nullable=True),
        sa.Column("resume_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("entitlement_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("wake_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.String(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
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
        sa.CheckConstraint(
            "(state IN ('canceled', 'expired')) = (ended_at IS NOT NULL) AND (ended_at IS NULL) = (end_reason IS NULL)",
            name=op.f("ck_subscriptions_ended_has_a_reason"),
        ),
        sa.CheckConstraint(
            "end_reason IS NULL OR end_reason IN ('fan', 'never_paid', 'not_paid', 'price_refused', 'refunded', 'disputed', 'banned', 'blocked', 'creator_gone', 'fan_gone')",
            name=op.f("ck_subscriptions_end_reason"),
        ),
        sa.CheckConstraint(
            "state <> 'paused' OR resume_at IS NOT NULL",
            name=op.f("ck_subscriptions_paused_goes_on"),
        ),
        sa.CheckConstraint(
            "state IN ('incomplete', 'trialing', 'active', 'past_due', 'canceling', 'paused', 'canceled', 'expired')",
            name=op.f("ck_subscriptions_state"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('trialing', 'active', 'canceling') OR (period_start IS NOT NULL AND period_end > period_start)",
            name=op.f("ck_subscriptions_running_has_a_period"),
        ),
        sa.CheckConstraint("fan_id <> creator_id", name=op.f("ck_subscriptions_not_to_oneself")),
        sa.CheckConstraint(
            "num_nulls(next_tier_id, next_price_minor, next_bundle_bps) IN (0, 3) AND num_nulls(upgrade_tier_id, upgrade_price_minor, upgrade_bundle_bps, upgrade_cost_minor) IN (0, 4)",
            name=op.f("ck_subscriptions_changes_have_prices"),
        ),
        sa.CheckConstraint(
            "num_nulls(promo_code_id, promo_kind, promo_value, promo_duration) IN (0, 4)",
            name=op.f("ck_subscriptions_promo_is_whole"),
        ),
        sa.CheckConstraint(
            "num_nulls(told_price_minor, told_at) IN (0, 2)",
            name=op.f("ck_subscriptions_told_once"),
        ),
        sa.CheckConstraint("price_minor >= 0 AND months > 0", name=op.f("ck_subscriptions_terms")),
        sa.ForeignKeyConstraint(
            ["creator_id"], ["users.id"], name=op.f("fk_subscriptions_creator_id_users")
        ),
        sa.ForeignKeyConstraint(
            ["entitlement_id"],
            ["entitlements.id"],
            name=op.f("fk_subscriptions_entitlement_id_entitlements"),
        ),
        sa.ForeignKeyConstraint(
            ["fan_id"], ["users.id"], name=op.f("fk_subscriptions_fan_id_users")
        ),
        sa.ForeignKeyConstraint(
            ["next_tier_id"], ["tiers.id"], name=op.f("fk_subscriptions_next_tier_id_tiers")
        ),
        sa.ForeignKeyConstraint(
            ["tier_id"], ["tiers.id"], name=op.f("fk_subscriptions_tier_id_tiers")
        ),
        sa.ForeignKeyConstraint(
            ["upgrade_tier_id"], ["tiers.id"], name=op.f("fk_subscriptions_upgrade_tier_id_tiers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriptions")),
    )
    op.create_index(
        "ix_subscriptions_charged_too_late",
        "subscriptions",
        ["wake_at"],
        unique=False,
        postgresql_where=sa.text("charge_id IS NOT NULL AND state IN ('canceled', 'expired')"),
    )
    op.create_index(
        "ix_subscriptions_creator_id_created_at_id",
        "subscriptions",
        ["creator_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_subscriptions_fan_id_created_at_id",
        "subscriptions",
        ["fan_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_subscriptions_tier_id_live",
        "subscriptions",
        ["tier_id"],
        unique=False,
        postgresql_where=sa.text("state NOT IN ('canceled', 'expired')"),
    )
    op.create_index(
        "ix_subscriptions_wake_at",
        "subscriptions",
        ["wake_at"],
        unique=False,
        postgresql_where=sa.text("state NOT IN ('canceled', 'expired')"),
    )
    op.create_index(
        "uq_subscriptions_live",
        "subscriptions",
        ["fan_id", "creator_id"],
        unique=True,
        postgresql_where=sa.text("state NOT IN ('canceled', 'expired')"),
    )
    op.create_table(
        "subscription_events",
        sa.Column("subscription_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "facts",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "kind IN ('created', 'trial_started', 'confirmation_needed', 'started', 'renewed', 'payment_failed', 'card_changed', 'canceling', 'resumed', 'pause_planned', 'paused', 'tier_change_planned', 'tier_changed', 'tier_change_failed', 'trial_ends_soon', 'price_rise_told', 'price_agreed', 'paid_too_late', 'ended')",
            name=op.f("ck_subscription_events_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name=op.f("fk_subscription_events_subscription_id_subscriptions"),
        ),
        sa.PrimaryKeyConstraint("subscription_id", "seq", name=op.f("pk_subscription_events")),
    )
    op.create_table(
        "trial_uses",
        sa.Column("creator_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("fan_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["creator_id"], ["users.id"], name=op.f("fk_trial_uses_creator_id_users")
        ),
        sa.ForeignKeyConstraint(["fan_id"], ["users.id"], name=op.f("fk_trial_uses_fan_id_users")),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name=op.f("fk_trial_uses_subscription_id_subscriptions"),
        ),
        sa.PrimaryKeyConstraint("creator_id", "fan_id", name=op.f("pk_trial_uses")),
        sa.UniqueConstraint(
            "creator_id", "fingerprint", name=op.f("uq_trial_uses_creator_id_fingerprint")
        ),
    )
    op.create_table(
        "gifts",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("giver_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("recipient_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("creator_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("tier_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("months", sa.Integer(), nullable=True),
        sa.Column("days", sa.Integer(), nullable=True),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("payment_method_id", sa.String(), nullable=True),
        sa.Column("note", sa.String(), server_default="", nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("decline_code", sa.String(), nullable=True),
        sa.Column("entitlement_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken_back_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken_back_reason", sa.String(), nullable=True),
        sa.CheckConstraint(
            "(kind = 'bought') = (payment_method_id IS NOT NULL) AND (kind = 'bought') = (price_minor > 0)",
            name=op.f("ck_gifts_bought_is_paid"),
        ),
        sa.CheckConstraint(
            "(kind = 'complimentary') = (giver_id = creator_id)", name=op.f("ck_gifts_giver")
        ),
        sa.CheckConstraint(
            "(state = 'taken_back') = (taken_back_at IS NOT NULL) AND (taken_back_at IS NULL) = (taken_back_reason IS NULL)",
            name=op.f("ck_gifts_taken_back_has_a_reason"),
        ),
        sa.CheckConstraint("kind IN ('bought', 'complimentary')", name=op.f("ck_gifts_kind")),
        sa.CheckConstraint(
            "state IN ('charging', 'requires_action', 'processing', 'declined', 'canceled', 'given', 'taken_back')",
            name=op.f("ck_gifts_state"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('given', 'taken_back') OR (given_at IS NOT NULL AND entitlement_id IS NOT NULL)",
            name=op.f("ck_gifts_given_gives_access"),
        ),
        sa.CheckConstraint("(months IS NULL) <> (days IS NULL)", name=op.f("ck_gifts_duration")),
        sa.CheckConstraint("recipient_id <> creator_id", name=op.f("ck_gifts_not_to_the_creator")),
        sa.ForeignKeyConstraint(
            ["creator_id"], ["users.id"], name=op.f("fk_gifts_creator_id_users")
        ),
        sa.ForeignKeyConstraint(
            ["entitlement_id"],
            ["entitlements.id"],
            name=op.f("fk_gifts_entitlement_id_entitlements"),
        ),
        sa.ForeignKeyConstraint(["giver_id"], ["users.id"], name=op.f("fk_gifts_giver_id_users")),
        sa.ForeignKeyConstraint(
            ["recipient_id"], ["users.id"], name=op.f("fk_gifts_recipient_id_users")
        ),
        sa.ForeignKeyConstraint(["tier_id"], ["tiers.id"], name=op.f("fk_gifts_tier_id_tiers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gifts")),
    )
    op.create_index(
        "ix_gifts_giver_id_created_at_id", "gifts", ["giver_id", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_gifts_recipient_id_created_at_id",
        "gifts",
        ["recipient_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_gifts_under_way",
        "gifts",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('charging', 'requires_action', 'processing')"),
    )

    op.execute(
        "CREATE TRIGGER subscription_events_insert_only "
        "BEFORE UPDATE OR DELETE OR TRUNCATE ON subscription_events "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    _replace_kinds(KINDS.format(more=", 'subscription'"))


def downgrade() -> None:
    op.execute("DELETE FROM mails WHERE kind = 'subscription'")
    _replace_kinds(KINDS.format(more=""))
    op.drop_table("gifts")
    op.drop_table("trial_uses")
    op.drop_table("subscription_events")
    op.drop_table("subscriptions")


def _replace_kinds(condition: str) -> None:
    op.drop_constraint(op.f("ck_mails_kind"), "mails")
    op.create_check_constraint(op.f("ck_mails_kind"), "mails", condition)
