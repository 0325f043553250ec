"""Decisions name prices, so who remembers them hears when a creator's discount changes.

Revision 0026, after 0025.
"""

from __future__ import annotations

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _tell_of("(OLD.blocked_countries, OLD.subscriber_discount_bps)")


def downgrade() -> None:
    _tell_of("OLD.blocked_countries")


def _tell_of(old: str) -> None:
    op.execute("DROP TRIGGER creators_access_changed ON creators")
    op.execute(
        "CREATE TRIGGER creators_access_changed AFTER UPDATE ON creators FOR EACH ROW "
        f"WHEN ({old} IS DISTINCT FROM {old.replace('OLD', 'NEW')}) "
        "EXECUTE FUNCTION tell_access_change('user_id')"
    )
