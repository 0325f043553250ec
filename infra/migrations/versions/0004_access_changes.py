"""Tell whoever remembers access decisions what changes them (`infra/access_changes.py`).

Revision 0004, after 0003.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

FUNCTIONS = """
CREATE FUNCTION tell_access_change() RETURNS trigger LANGUAGE plpgsql AS $$
-- Each argument is a column that holds the id of a user for whom decisions may change.
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY TG_ARGV LOOP
        PERFORM pg_notify(
            'access_changed', coalesce(to_jsonb(NEW) ->> name, to_jsonb(OLD) ->> name)
        );
    END LOOP;
    RETURN NULL;
END
$$;
CREATE FUNCTION tell_media_carried() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('access_changed', m.owner_id::text)
    FROM media m WHERE m.id = coalesce(NEW.media_id, OLD.media_id);
    RETURN NULL;
END
$$;
"""
TRIGGERS = {
    # table: (when, condition, function)
    "entitlements": ("INSERT OR UPDATE OR DELETE", "", "tell_access_change('fan_id')"),
    "follows": ("INSERT OR DELETE", "", "tell_access_change('fan_id')"),
    "blocks": ("INSERT OR DELETE", "", "tell_access_change('blocker_id')"),
    "post_media": ("INSERT OR DELETE", "", "tell_media_carried()"),
    "auth_sessions": (
        "UPDATE",
        "WHEN ((OLD.revoked_at, OLD.second_factor_at)"
        " IS DISTINCT FROM (NEW.revoked_at, NEW.second_factor_at))",
        "tell_access_change('user_id')",
    ),
    "users": (
        "UPDATE",
        "WHEN ((OLD.role, OLD.suspended_at, OLD.deleted_at)"
        " IS DISTINCT FROM (NEW.role, NEW.suspended_at, NEW.deleted_at))",
        "tell_access_change('id')",
    ),
    "creators": (
        "UPDATE",
        "WHEN (OLD.blocked_countries IS DISTINCT FROM NEW.blocked_countries)",
        "tell_access_change('user_id')",
    ),
    "tiers": (
        "UPDATE",
        "WHEN (OLD.rank IS DISTINCT FROM NEW.rank)",
        "tell_access_change('creator_id')",
    ),
    "posts": (
        "UPDATE",
        "WHEN ((OLD.state, OLD.audience, OLD.tier_id, OLD.price_minor, OLD.currency)"
        " IS DISTINCT FROM (NEW.state, NEW.audience, NEW.tier_id, NEW.price_minor, NEW.currency))",
        "tell_access_change('creator_id')",
    ),
    "media": (
        "UPDATE",
        "WHEN ((OLD.state, OLD.visibility) IS DISTINCT FROM (NEW.state, NEW.visibility))",
        "tell_access_change('owner_id')",
    ),
}


def upgrade() -> None:
    op.execute(FUNCTIONS)
    for table, (when, condition, function) in TRIGGERS.items():
        op.execute(
            f"CREATE TRIGGER {table}_access_changed AFTER {when} ON {table} "
            f"FOR EACH ROW {condition} EXECUTE FUNCTION {function}"
        )


def downgrade() -> None:
    for table in TRIGGERS:
        op.execute(f"DROP TRIGGER {table}_access_changed ON {table}")
    op.execute("DROP FUNCTION tell_media_carried()")
    op.execute("DROP FUNCTION tell_access_change()")
