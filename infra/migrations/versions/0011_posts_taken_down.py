"""Posts that staff took down, and the mails that tell their authors.

Revision 0011, after 0010.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

STATES = "state IN ('draft', 'scheduled', 'published', {more}'deleted')"
KINDS = (
    "kind IN ('verify_email', 'already_registered', 'reset_password', 'change_email', "
    "'security_notice', 'application_decided'{more})"
)


def upgrade() -> None:
    op.add_column("posts", sa.Column("taken_down_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("posts", sa.Column("taken_down_reason", sa.String(), nullable=True))
    op.create_check_constraint(
        op.f("ck_posts_taken_down_has_a_reason"),
        "posts",
        "(taken_down_at IS NULL) = (taken_down_reason IS NULL) "
        "AND (state <> 'taken_down' OR taken_down_at IS NOT NULL) "
        "AND (state IN ('taken_down', 'deleted') OR taken_down_at IS NULL)",
    )
    _replace("posts", "ck_posts_state", STATES.format(more="'taken_down', "))
    _replace("mails", "ck_mails_kind", KINDS.format(more=", 'post_moderated'"))


def downgrade() -> None:
    op.execute("DELETE FROM mails WHERE kind = 'post_moderated'")
    _replace("mails", "ck_mails_kind", KINDS.format(more=""))
    # What staff hid stays hidden where nothing can say so any more.
    op.execute(
        "UPDATE posts SET state = 'deleted', deleted_at = taken_down_at WHERE state = 'taken_down'"
    )
    _replace("posts", "ck_posts_state", STATES.format(more=""))
    op.drop_constraint(op.f("ck_posts_taken_down_has_a_reason"), "posts")
    op.drop_column("posts", "taken_down_reason")
    op.drop_column("posts", "taken_down_at")


def _replace(table: str, name: str, condition: str) -> None:
    op.drop_constraint(op.f(name), table)
    op.create_check_constraint(op.f(name), table, condition)
