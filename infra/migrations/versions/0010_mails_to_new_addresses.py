"""Mails to an address that somebody wants to move to.

Revision 0010, after 0009.
"""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

BEFORE = (
    "kind IN ('verify_email', 'already_registered', 'reset_password', 'security_notice', "
    "'application_decided')"
)
AFTER = (
    "kind IN ('verify_email', 'already_registered', 'reset_password', 'change_email', "
    "'security_notice', 'application_decided')"
)


def upgrade() -> None:
    op.drop_constraint(op.f("ck_mails_kind"), "mails")
    op.create_check_constraint(op.f("ck_mails_kind"), "mails", AFTER)


def downgrade() -> None:
    op.execute("DELETE FROM mails WHERE kind = 'change_email'")
    op.drop_constraint(op.f("ck_mails_kind"), "mails")
    op.create_check_constraint(op.f("ck_mails_kind"), "mails", BEFORE)
