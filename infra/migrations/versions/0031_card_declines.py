"""Cards that are refused when they are added are counted, and too many close the form.

Revision 0031, after 0030.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

NAME = "ck_card_setups_state"


def upgrade() -> None:
    op.create_table(
        "card_declines",
        sa.Column("attempt_id", sa.String(), nullable=False),
        sa.Column("setup_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("fan_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("declined_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["fan_id"], ["users.id"], name=op.f("fk_card_declines_fan_id_users")
        ),
        sa.ForeignKeyConstraint(
            ["setup_id"], ["card_setups.id"], name=op.f("fk_card_declines_setup_id_card_setups")
        ),
        sa.PrimaryKeyConstraint("attempt_id", name=op.f("pk_card_declines")),
    )
    op.create_index("ix_card_declines_fan_id_declined_at", "card_declines", ["fan_id", "declined_at"])
    op.drop_constraint(op.f(NAME), "card_setups")
    op.create_check_constraint(
        op.f(NAME), "card_setups", "state IN ('open', 'succeeded', 'expired', 'canceled')"
    )


def downgrade() -> None:
    op.execute("UPDATE card_setups SET state = 'expired' WHERE state = 'canceled'")
    op.drop_constraint(op.f(NAME), "card_setups")
    op.create_check_constraint(
        op.f(NAME), "card_setups", "state IN ('open', 'succeeded', 'expired')"
    )
    op.drop_table("card_declines")
