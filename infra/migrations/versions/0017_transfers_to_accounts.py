"""Whether an account may be given money, and accounts of which Stripe says neither country nor
currency yet.

Revision 0017, after 0016.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

MAYBE_UNKNOWN = (("country", 2), ("default_currency", 3))


def upgrade() -> None:
    op.add_column(
        "connected_accounts",
        sa.Column(
            "transfers_enabled", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
    )
    op.alter_column("connected_accounts", "transfers_enabled", server_default=None)
    for column, length in MAYBE_UNKNOWN:
        op.alter_column(
            "connected_accounts", column, existing_type=sa.String(length=length), nullable=True
        )


def downgrade() -> None:
    op.execute(
        "UPDATE connected_accounts SET country = COALESCE(country, 'XX'), "
        "default_currency = COALESCE(default_currency, 'XXX')"
    )
    for column, length in MAYBE_UNKNOWN:
        op.alter_column(
            "connected_accounts", column, existing_type=sa.String(length=length), nullable=False
        )
    op.drop_column("connected_accounts", "transfers_enabled")
