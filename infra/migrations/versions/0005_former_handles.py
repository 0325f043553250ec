"""Handles that somebody has given up stay theirs; applications are found by their applicant.

Revision 0005, after 0004.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Whoever writes a handle, and however: one that another has given up counts as taken. After
# the row and not before it, so that a change that was committed while the unique index made
# this one wait is seen.
FORMER_HANDLES_STAY_TAKEN = """
CREATE FUNCTION refuse_former_handle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM former_handles f WHERE f.handle = NEW.handle AND f.user_id <> NEW.id)
    THEN
        RAISE EXCEPTION 'the handle % was another account''s', NEW.handle
            USING ERRCODE = 'unique_violation', CONSTRAINT = 'uq_users_handle', TABLE = 'users';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER users_handle_not_former
    AFTER INSERT OR UPDATE OF handle ON users
    FOR EACH ROW EXECUTE FUNCTION refuse_former_handle();
"""


def upgrade() -> None:
    op.create_table(
        "former_handles",
        sa.Column("handle", sa.String(), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("fk_former_handles_user_id_users"),
        ),
        sa.PrimaryKeyConstraint("handle", name=op.f("pk_former_handles")),
    )
    op.create_index("ix_former_handles_user_id", "former_handles", ["user_id"], unique=False)
    op.create_index(
        "ix_creator_applications_user_id_created_at",
        "creator_applications",
        ["user_id", "created_at"],
        unique=False,
    )
    op.execute(FORMER_HANDLES_STAY_TAKEN)


def downgrade() -> None:
    op.execute("DROP TRIGGER users_handle_not_former ON users")
    op.execute("DROP FUNCTION refuse_former_handle()")
    op.drop_index("ix_creator_applications_user_id_created_at", table_name="creator_applications")
    op.drop_table("former_handles")
