"""That a bought message was read is written down, as of posts and media.

Revision 0033, after 0032.
"""

from __future__ import annotations

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

NAME = "ck_access_log_item_type"


def upgrade() -> None:
    op.drop_constraint(op.f(NAME), "access_log")
    op.create_check_constraint(
        op.f(NAME), "access_log", "item_type IN ('post', 'message', 'media')"
    )


def downgrade() -> None:
    op.execute("DELETE FROM access_log WHERE item_type = 'message'")
    op.drop_constraint(op.f(NAME), "access_log")
    op.create_check_constraint(op.f(NAME), "access_log", "item_type IN ('post', 'media')")
