"""Kept answers are sealed: they may hold signed addresses.

Revision 0008, after 0007. What was kept before can't be sealed here, so those keys begin anew.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DELETE FROM idempotency_keys")
    op.add_column("idempotency_keys", sa.Column("key_id", sa.String(), nullable=True))


def downgrade() -> None:
    op.execute("DELETE FROM idempotency_keys")
    op.drop_column("idempotency_keys", "key_id")
