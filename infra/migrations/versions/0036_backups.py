"""When a backup was made is known to the platform, so that one that is missing is.

Revision 0036, after 0035.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "backups",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("objects", sa.BigInteger(), nullable=False),
        sa.Column("object_bytes", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("begun_at <= ended_at", name=op.f("ck_backups_moments")),
        sa.CheckConstraint(
            "objects >= 0 AND object_bytes >= 0", name=op.f("ck_backups_counts")
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_backups")),
    )
    op.create_index("ix_backups_begun_at", "backups", ["begun_at"])


def downgrade() -> None:
    op.drop_table("backups")
