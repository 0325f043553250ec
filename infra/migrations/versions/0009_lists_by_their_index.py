"""Indexes of lists that leave out most of what there is, or are read in the order of time.

Revision 0009, after 0008.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

POSTS = {
    "ix_posts_public": ("published_at", "state = 'published' AND audience = 'public'"),
    "ix_posts_pinned": ("published_at", "state = 'published' AND pinned_at IS NOT NULL"),
    "ix_posts_unpublished": ("created_at", "state NOT IN ('published', 'deleted')"),
}


def upgrade() -> None:
    for name, (moment, where) in POSTS.items():
        op.create_index(
            name,
            "posts",
            ["creator_id", moment, "id"],
            unique=False,
            postgresql_where=sa.text(where),
        )
    op.create_index(
        "ix_follows_fan_id_created_at",
        "follows",
        ["fan_id", "created_at"],
        unique=False,
    )
    op.create_index(
        "ix_blocks_blocker_id_created_at",
        "blocks",
        ["blocker_id", "created_at"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_index("ix_blocks_blocker_id_created_at", table_name="blocks")
    op.drop_index("ix_follows_fan_id_created_at", table_name="follows")
    for name in POSTS:
        op.drop_index(name, table_name="posts")
