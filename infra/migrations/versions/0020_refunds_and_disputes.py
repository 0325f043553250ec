"""Refunds, disputes, the log of accesses that answers them, and reconciliations with Stripe.

Revision 0020, after 0019.
"""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE refunds (
    id UUID NOT NULL,
    charge_id UUID NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency VARCHAR(3) NOT NULL,
    reason VARCHAR NOT NULL,
    note VARCHAR DEFAULT '' NOT NULL,
    requested_as VARCHAR NOT NULL,
    requested_by UUID,
    state VARCHAR NOT NULL,
    stripe_refund_id VARCHAR,
    refused_code VARCHAR,
    failure_reason VARCHAR,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    posted_at TIMESTAMP WITH TIME ZONE,
    closed_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_refunds PRIMARY KEY (id),
    CONSTRAINT ck_refunds_state CHECK (state IN ('requested', 'pending', 'succeeded', 'failed',
        'refused')),
    CONSTRAINT ck_refunds_reason CHECK (reason IN ('requested_by_customer', 'duplicate',
        'fraudulent', 'not_delivered', 'goodwill', 'made_at_stripe')),
    CONSTRAINT ck_refunds_requested_as CHECK (requested_as IN ('staff', 'creator', 'system',
        'stripe')),
    CONSTRAINT ck_refunds_amount_minor CHECK (amount_minor > 0),
    CONSTRAINT ck_refunds_person_is_named CHECK ((requested_as IN ('staff', 'creator')) =
        (requested_by IS NOT NULL)),
    CONSTRAINT ck_refunds_made_is_known_to_stripe CHECK (state NOT IN ('pending', 'succeeded') OR
        (stripe_refund_id IS NOT NULL AND posted_at IS NOT NULL)),
    CONSTRAINT ck_refunds_closed_has_a_time CHECK ((state IN ('failed', 'refused')) = (closed_at
        IS NOT NULL)),
    CONSTRAINT ck_refunds_refused_took_nothing CHECK (state <> 'refused' OR (refused_code IS NOT
        NULL AND posted_at IS NULL)),
    CONSTRAINT uq_refunds_stripe_refund_id UNIQUE (stripe_refund_id),
    CONSTRAINT fk_refunds_charge_id_charges FOREIGN KEY(charge_id) REFERENCES charges (id),
    CONSTRAINT fk_refunds_requested_by_users FOREIGN KEY(requested_by) REFERENCES users (id)
);
CREATE INDEX ix_refunds_charge_id ON refunds (charge_id);
CREATE INDEX ix_refunds_created_at_id ON refunds (created_at, id);
CREATE INDEX ix_refunds_unanswered ON refunds (created_at) WHERE state = 'requested';
CREATE TABLE disputes (
    id UUID NOT NULL,
    stripe_dispute_id VARCHAR NOT NULL,
    charge_id UUID NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency VARCHAR(3) NOT NULL,
    fee_minor BIGINT DEFAULT 0 NOT NULL,
    state VARCHAR NOT NULL,
    is_inquiry BOOLEAN NOT NULL,
    reason VARCHAR NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    evidence_due_by TIMESTAMP WITH TIME ZONE,
    evidence JSONB,
    evidence_submitted_at TIMESTAMP WITH TIME ZONE,
    answer VARCHAR,
    answered_by VARCHAR,
    answered_at TIMESTAMP WITH TIME ZONE,
    held_at TIMESTAMP WITH TIME ZONE,
    closed_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_disputes PRIMARY KEY (id),
    CONSTRAINT ck_disputes_state CHECK (state IN ('warning_needs_response',
        'warning_under_review', 'warning_closed', 'needs_response', 'under_review', 'won', 'lost',
        'prevented')),
    CONSTRAINT ck_disputes_answer CHECK (answer IS NULL OR answer IN ('submit', 'accept')),
    CONSTRAINT ck_disputes_amount_minor CHECK (amount_minor > 0),
    CONSTRAINT ck_disputes_fee_minor CHECK (fee_minor >= 0),
    CONSTRAINT ck_disputes_closed_has_a_time CHECK ((state IN ('won', 'lost', 'warning_closed',
        'prevented')) = (closed_at IS NOT NULL)),
    CONSTRAINT ck_disputes_decided_was_held CHECK (state NOT IN ('won', 'lost') OR held_at IS NOT
        NULL),
    CONSTRAINT ck_disputes_inquiry_holds_nothing CHECK (NOT is_inquiry OR held_at IS NULL),
    CONSTRAINT ck_disputes_answer_has_a_time CHECK ((answer IS NULL) = (answered_at IS NULL)),
    CONSTRAINT uq_disputes_stripe_dispute_id UNIQUE (stripe_dispute_id),
    CONSTRAINT fk_disputes_charge_id_charges FOREIGN KEY(charge_id) REFERENCES charges (id)
);
CREATE INDEX ix_disputes_charge_id ON disputes (charge_id);
CREATE INDEX ix_disputes_open ON disputes (opened_at, id) WHERE closed_at IS NULL;
CREATE INDEX ix_disputes_opened_at_id ON disputes (opened_at, id);
CREATE TABLE access_log (
    fan_id UUID NOT NULL,
    item_type VARCHAR NOT NULL,
    item_id UUID NOT NULL,
    hour TIMESTAMP WITH TIME ZONE NOT NULL,
    creator_id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    address VARCHAR,
    agent VARCHAR NOT NULL,
    CONSTRAINT pk_access_log PRIMARY KEY (fan_id, item_type, item_id, hour),
    CONSTRAINT ck_access_log_item_type CHECK (item_type IN ('post', 'media')),
    CONSTRAINT ck_access_log_hour CHECK (hour <= at AND at < hour + interval '1 hour'),
    CONSTRAINT fk_access_log_fan_id_users FOREIGN KEY(fan_id) REFERENCES users (id),
    CONSTRAINT fk_access_log_creator_id_users FOREIGN KEY(creator_id) REFERENCES users (id)
);
CREATE INDEX ix_access_log_at ON access_log (at);
CREATE INDEX ix_access_log_fan_id_creator_id_at ON access_log (fan_id, creator_id, at);
CREATE TABLE reconciliations (
    id UUID NOT NULL,
    window_start TIMESTAMP WITH TIME ZONE NOT NULL,
    window_end TIMESTAMP WITH TIME ZONE NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE NOT NULL,
    sources_checked INTEGER NOT NULL,
    fees_recorded INTEGER DEFAULT 0 NOT NULL,
    breaks_found INTEGER NOT NULL,
    breaks JSONB DEFAULT '[]' NOT NULL,
    CONSTRAINT pk_reconciliations PRIMARY KEY (id),
    CONSTRAINT ck_reconciliations_window CHECK (window_start < window_end),
    CONSTRAINT ck_reconciliations_counts CHECK (breaks_found >= 0 AND sources_checked >= 0)
);
CREATE INDEX ix_reconciliations_ended_at_id ON reconciliations (ended_at, id);
"""
KINDS = (
    "kind IN ('verify_email', 'already_registered', 'reset_password', 'change_email', "
    "'security_notice', 'application_decided', 'post_moderated', 'account_moderated', "
    "'payout_paid', 'payout_failed', 'payout_account'{more})"
)
NEW_KINDS = "'refund', 'sale_refunded', 'dispute'"


def upgrade() -> None:
    op.execute(TABLES)
    # Old entries may be deleted: they say where people were. None is changed.
    op.execute(
        "CREATE TRIGGER access_log_never_changed BEFORE UPDATE ON access_log "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    _replace_kinds(KINDS.format(more=f", {NEW_KINDS}"))


def downgrade() -> None:
    op.execute(f"DELETE FROM mails WHERE kind IN ({NEW_KINDS})")
    _replace_kinds(KINDS.format(more=""))
    for table in ("reconciliations", "access_log", "disputes", "refunds"):
        op.drop_table(table)


def _replace_kinds(condition: str) -> None:
    op.drop_constraint(op.f("ck_mails_kind"), "mails")
    op.create_check_constraint(op.f("ck_mails_kind"), "mails", condition)
