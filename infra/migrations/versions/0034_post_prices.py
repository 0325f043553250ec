"""What a creator's post may cost at most can be agreed on with them.

Revision 0034, after 0033.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("creator_money", sa.Column("post_price_minor_max", sa.Integer()))
    op.create_check_constraint(
        op.f("ck_creator_money_post_price_minor_max"),
        "creator_money",
        "post_price_minor_max BETWEEN 100 AND 1000000",
    )


def downgrade() -> None:
    op.drop_column("creator_money", "post_price_minor_max")
