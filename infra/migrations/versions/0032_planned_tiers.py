"""Who comes to a tier with the next period is found, and counts among its subscribers.

Revision 0032, after 0031.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

COLUMNS = ("next_tier_id", "upgrade_tier_id")


def upgrade() -> None:
    for column in COLUMNS:
        op.create_index(
            f"ix_subscriptions_{column}",
            "subscriptions",
            [column],
            postgresql_where=sa.text(f"{column} IS NOT NULL"),
        )


def downgrade() -> None:
    for column in COLUMNS:
        op.drop_index(f"ix_subscriptions_{column}", table_name="subscriptions")
