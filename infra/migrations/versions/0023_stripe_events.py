"""The inbox of Stripe's events, and how far they have been polled.

Revision 0023, after 0022.
"""

from __future__ import annotations

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE stripe_events (
    id VARCHAR NOT NULL,
    type VARCHAR NOT NULL,
    account VARCHAR,
    object_id VARCHAR NOT NULL,
    object_type VARCHAR NOT NULL,
    op_id VARCHAR,
    op_kind VARCHAR,
    workflow_id VARCHAR,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    was_polled BOOLEAN DEFAULT false NOT NULL,
    state VARCHAR NOT NULL,
    reason VARCHAR,
    settled_at TIMESTAMP WITH TIME ZONE,
    attempts INTEGER DEFAULT 0 NOT NULL,
    owner_workflow_id VARCHAR,
    CONSTRAINT pk_stripe_events PRIMARY KEY (id),
    CONSTRAINT ck_stripe_events_state
        CHECK (state IN ('new', 'handled', 'parked', 'ignored')),
    CONSTRAINT ck_stripe_events_reason
        CHECK (reason IS NULL OR reason IN ('made_elsewhere', 'owner_unknown', 'no_run')),
    CONSTRAINT ck_stripe_events_parked_has_a_reason
        CHECK ((state = 'parked') = (reason IS NOT NULL)),
    CONSTRAINT ck_stripe_events_settled_has_a_time
        CHECK ((state = 'new') = (settled_at IS NULL))
);
CREATE INDEX ix_stripe_events_created_at ON stripe_events (created_at);
CREATE INDEX ix_stripe_events_object_id ON stripe_events (object_id);
CREATE INDEX ix_stripe_events_unsettled ON stripe_events (received_at)
    WHERE state IN ('new', 'parked');
CREATE TABLE stripe_polls (
    account VARCHAR NOT NULL,
    polled_until TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_stripe_polls PRIMARY KEY (account)
);
"""


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    op.execute("DROP TABLE stripe_polls")
    op.execute("DROP TABLE stripe_events")
