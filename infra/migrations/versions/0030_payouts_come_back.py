"""A payout that comes back may, whatever its creator has asked for since.

Revision 0030, after 0029.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

NAME = "uq_payouts_busy"
PREPARING = "'requested', 'reserved', 'review', 'transferring', 'funded', 'submitting'"


def upgrade() -> None:
    _make_index(f"state IN ({PREPARING})")


def downgrade() -> None:
    _make_index(f"state IN ({PREPARING}, 'returning', 'needs_ops')")


def _make_index(where: str) -> None:
    op.drop_index(NAME, table_name="payouts")
    op.create_index(
        NAME,
        "payouts",
        ["creator_id", "currency"],
        unique=True,
        postgresql_where=sa.text(where),
    )
