"""Mails that will not be sent any more, and why; indexes for what the sweep removes.

Revision 0003, after 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mails", sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("mails", sa.Column("given_up_reason", sa.String(), nullable=True))
    op.drop_index("ix_mails_unsent", table_name="mails")
    op.create_index(
        "ix_mails_unsent",
        "mails",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("sent_at IS NULL AND given_up_at IS NULL"),
    )
    op.create_index("ix_mails_created_at", "mails", ["created_at"], unique=False)
    op.create_index("ix_auth_sessions_expires_at", "auth_sessions", ["expires_at"], unique=False)
    op.create_index(
        "ix_refresh_tokens_used_at",
        "refresh_tokens",
        ["used_at"],
        unique=False,
        postgresql_where=sa.text("used_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_refresh_tokens_used_at", table_name="refresh_tokens")
    op.drop_index("ix_auth_sessions_expires_at", table_name="auth_sessions")
    op.drop_index("ix_mails_created_at", table_name="mails")
    op.drop_index("ix_mails_unsent", table_name="mails")
    op.create_index(
        "ix_mails_unsent",
        "mails",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("sent_at IS NULL"),
    )
    op.drop_column("mails", "given_up_reason")
    op.drop_column("mails", "given_up_at")
