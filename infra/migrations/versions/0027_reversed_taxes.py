"""Under which id Stripe reports that the tax of a refund or of a lost dispute went back.

Revision 0027, after 0026.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("refunds", "disputes"):
        op.add_column(table, sa.Column("tax_reversal_id", sa.String(), nullable=True))


def downgrade() -> None:
    for table in ("refunds", "disputes"):
        op.drop_column(table, "tax_reversal_id")
