"""Orders to Stripe, written down before they are sent.

Revision 0021, after 0020.
"""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE stripe_calls (
    key VARCHAR NOT NULL,
    generation SMALLINT DEFAULT 1 NOT NULL,
    request_hash BYTEA NOT NULL,
    account VARCHAR,
    path VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    op_id VARCHAR NOT NULL,
    object_id VARCHAR,
    error_code VARCHAR,
    attempts INTEGER DEFAULT 0 NOT NULL,
    first_sent_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_sent_at TIMESTAMP WITH TIME ZONE NOT NULL,
    wall_sent_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    workflow_id VARCHAR,
    CONSTRAINT pk_stripe_calls PRIMARY KEY (key),
    CONSTRAINT ck_stripe_calls_state CHECK (state IN ('intent', 'unknown', 'done', 'failed')),
    CONSTRAINT ck_stripe_calls_counted_from_one CHECK (generation >= 1 AND attempts >= 0),
    CONSTRAINT ck_stripe_calls_sent_in_order CHECK (last_sent_at >= first_sent_at)
);
CREATE INDEX ix_stripe_calls_op_id ON stripe_calls (op_id);
CREATE INDEX ix_stripe_calls_unsettled ON stripe_calls (wall_sent_at)
    WHERE state IN ('intent', 'unknown');
"""


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    op.execute("DROP TABLE stripe_calls")
