"""Which of two journals of one moment was posted first.

Revision 0018, after 0017.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "journals", sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False)
    )


def downgrade() -> None:
    op.drop_column("journals", "position")
