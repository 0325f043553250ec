"""Mails that tell what was decided on an application.

Revision 0006, after 0005.
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BEFORE = "kind IN ('verify_email', 'already_registered', 'reset_password', 'security_notice')"
AFTER = (
    "kind IN ('verify_email', 'already_registered', 'reset_password', 'security_notice', "
    "'application_decided')"
)


def upgrade() -> None:
    op.drop_constraint(op.f("ck_mails_kind"), "mails")
    op.create_check_constraint(op.f("ck_mails_kind"), "mails", AFTER)


def downgrade() -> None:
    op.execute("DELETE FROM mails WHERE kind = 'application_decided'")
    op.drop_constraint(op.f("ck_mails_kind"), "mails")
    op.create_check_constraint(op.f("ck_mails_kind"), "mails", BEFORE)
