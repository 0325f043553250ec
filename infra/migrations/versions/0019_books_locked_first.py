"""Two transactions that open the platform's first accounts do not wait for each other.

An account that is not committed yet makes others wait who would open it too. Of two
transactions that post several journals each could have opened what the other one needs next.
Now the lock of the currency's books, which posting takes anyway, is taken before.

Revision 0019, after 0018.
"""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

LOCK = """
CREATE FUNCTION lock_books() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- The same key as in post_entries(). Before a conflict is looked for, so for old accounts too.
    PERFORM pg_advisory_xact_lock(1818584167, hashtext(NEW.currency));
    RETURN NEW;
END
$$;
CREATE TRIGGER ledger_accounts_lock_books
    BEFORE INSERT ON ledger_accounts FOR EACH ROW WHEN (NEW.owner_type = 'platform')
    EXECUTE FUNCTION lock_books();
"""


def upgrade() -> None:
    op.execute(LOCK)


def downgrade() -> None:
    op.execute("DROP TRIGGER ledger_accounts_lock_books ON ledger_accounts")
    op.execute("DROP FUNCTION lock_books()")
