"""Mails that tell people that their account was shut, or opened again.

Revision 0012, after 0011.
"""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

KINDS = (
    "kind IN ('verify_email', 'already_registered', 'reset_password', 'change_email', "
    "'security_notice', 'application_decided', 'post_moderated'{more})"
)


def upgrade() -> None:
    _replace(KINDS.format(more=", 'account_moderated'"))


def downgrade() -> None:
    op.execute("DELETE FROM mails WHERE kind = 'account_moderated'")
    _replace(KINDS.format(more=""))


def _replace(condition: str) -> None:
    op.drop_constraint(op.f("ck_mails_kind"), "mails")
    op.create_check_constraint(op.f("ck_mails_kind"), "mails", condition)
