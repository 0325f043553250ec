"""The ledger: accounts, journals, entries and balances, earning lots and what moved them.

Revision 0015, after 0014.
"""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE creator_money (
    creator_id UUID NOT NULL,
    fee_bps INTEGER,
    hold_days INTEGER,
    payouts_blocked_reason VARCHAR,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_creator_money PRIMARY KEY (creator_id),
    CONSTRAINT ck_creator_money_fee_bps CHECK (fee_bps BETWEEN 0 AND 10000),
    CONSTRAINT ck_creator_money_hold_days CHECK (hold_days BETWEEN 0 AND 365),
    CONSTRAINT fk_creator_money_creator_id_users FOREIGN KEY(creator_id) REFERENCES users (id)
);
CREATE TABLE ledger_accounts (
    id UUID NOT NULL,
    owner_type VARCHAR NOT NULL,
    owner_id UUID,
    kind VARCHAR NOT NULL,
    currency VARCHAR(3) NOT NULL,
    allow_negative BOOLEAN NOT NULL,
    allow_positive BOOLEAN NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_ledger_accounts PRIMARY KEY (id),
    CONSTRAINT ck_ledger_accounts_owner_type CHECK (owner_type IN ('platform', 'creator')),
    CONSTRAINT ck_ledger_accounts_kind CHECK (kind IN ('pending', 'available', 'reserve',
        'dispute_hold', 'payout_in_flight', 'debt', 'stripe_clearing', 'payout_clearing',
        'stripe_fees', 'dispute_receivable', 'bad_debt', 'commission', 'tax_payable',
        'rounding')),
    CONSTRAINT ck_ledger_accounts_owner CHECK ((owner_type = 'creator') = (owner_id IS NOT NULL)),
    CONSTRAINT ck_ledger_accounts_kind_fits_owner CHECK ((owner_type = 'creator') = (kind IN
        ('pending', 'available', 'reserve', 'dispute_hold', 'payout_in_flight', 'debt'))),
    CONSTRAINT ck_ledger_accounts_allow_negative CHECK (allow_negative = (owner_type = 'platform'
        OR kind = 'debt')),
    CONSTRAINT ck_ledger_accounts_allow_positive CHECK (allow_positive = (NOT kind IN ('debt',
        'payout_clearing', 'dispute_receivable', 'bad_debt'))),
    CONSTRAINT uq_ledger_accounts_owner_type_owner_id_kind_currency UNIQUE NULLS NOT DISTINCT
        (owner_type, owner_id, kind, currency),
    CONSTRAINT uq_ledger_accounts_id_currency UNIQUE (id, currency),
    CONSTRAINT uq_ledger_accounts_id_allow_negative_allow_positive UNIQUE (id, allow_negative,
        allow_positive),
    CONSTRAINT fk_ledger_accounts_owner_id_users FOREIGN KEY(owner_id) REFERENCES users (id)
);
CREATE TABLE account_balances (
    account_id UUID NOT NULL,
    allow_negative BOOLEAN NOT NULL,
    allow_positive BOOLEAN NOT NULL,
    posted_minor BIGINT DEFAULT 0 NOT NULL,
    version BIGINT DEFAULT 0 NOT NULL,
    CONSTRAINT pk_account_balances PRIMARY KEY (account_id),
    CONSTRAINT fk_account_balances_account_id_allow_negative_allow_pos_b4e9 FOREIGN
        KEY(account_id, allow_negative, allow_positive) REFERENCES ledger_accounts (id,
        allow_negative, allow_positive),
    CONSTRAINT ck_account_balances_never_negative CHECK (allow_negative OR posted_minor >= 0),
    CONSTRAINT ck_account_balances_never_positive CHECK (allow_positive OR posted_minor <= 0)
);
CREATE TABLE journals (
    id UUID NOT NULL,
    event_key VARCHAR NOT NULL,
    body_hash BYTEA NOT NULL,
    kind VARCHAR NOT NULL,
    effective_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    workflow_id VARCHAR,
    stripe_ref VARCHAR,
    charge_id UUID,
    creator_id UUID,
    reverses_id UUID,
    posted_in BIGINT DEFAULT (pg_current_xact_id()::text)::bigint NOT NULL,
    CONSTRAINT pk_journals PRIMARY KEY (id),
    CONSTRAINT ck_journals_kind CHECK (kind IN ('sale', 'fee', 'refund', 'refund_failed',
        'dispute_opened', 'dispute_won', 'dispute_lost', 'release', 'debt_paid',
        'payout_reserved', 'payout_funded', 'transfer_reversed', 'payout_settled',
        'payout_returned', 'write_off')),
    CONSTRAINT uq_journals_event_key UNIQUE (event_key),
    CONSTRAINT uq_journals_reverses_id UNIQUE (reverses_id),
    CONSTRAINT fk_journals_creator_id_users FOREIGN KEY(creator_id) REFERENCES users (id),
    CONSTRAINT fk_journals_reverses_id_journals FOREIGN KEY(reverses_id) REFERENCES journals (id)
);
CREATE INDEX ix_journals_charge_id ON journals (charge_id) WHERE charge_id IS NOT NULL;
CREATE INDEX ix_journals_creator_id_effective_at_id ON journals (creator_id, effective_at, id);
CREATE INDEX ix_journals_effective_at ON journals (effective_at);
CREATE INDEX ix_journals_stripe_ref ON journals (stripe_ref) WHERE stripe_ref IS NOT NULL;
CREATE TABLE journal_entries (
    journal_id UUID NOT NULL,
    seq INTEGER NOT NULL,
    account_id UUID NOT NULL,
    currency VARCHAR(3) NOT NULL,
    amount_minor BIGINT NOT NULL,
    CONSTRAINT pk_journal_entries PRIMARY KEY (journal_id, seq),
    CONSTRAINT fk_journal_entries_account_id_currency_ledger_accounts FOREIGN KEY(account_id,
        currency) REFERENCES ledger_accounts (id, currency),
    CONSTRAINT ck_journal_entries_amount_minor CHECK (amount_minor <> 0),
    CONSTRAINT fk_journal_entries_journal_id_journals FOREIGN KEY(journal_id) REFERENCES journals
        (id)
);
CREATE INDEX ix_journal_entries_account_id_journal_id ON journal_entries (account_id, journal_id);
CREATE TABLE earning_lots (
    id UUID NOT NULL,
    creator_id UUID NOT NULL,
    currency VARCHAR(3) NOT NULL,
    source VARCHAR NOT NULL,
    tax_minor BIGINT NOT NULL,
    commission_minor BIGINT NOT NULL,
    amount_minor BIGINT NOT NULL,
    refunded_minor BIGINT DEFAULT 0 NOT NULL,
    reserved_minor BIGINT DEFAULT 0 NOT NULL,
    paid_out_minor BIGINT DEFAULT 0 NOT NULL,
    held_minor BIGINT DEFAULT 0 NOT NULL,
    debt_paid_minor BIGINT DEFAULT 0 NOT NULL,
    remaining_minor BIGINT GENERATED ALWAYS AS (amount_minor - refunded_minor - reserved_minor -
        paid_out_minor - held_minor - debt_paid_minor) STORED NOT NULL,
    returned_tax_minor BIGINT DEFAULT 0 NOT NULL,
    returned_commission_minor BIGINT DEFAULT 0 NOT NULL,
    returned_share_minor BIGINT DEFAULT 0 NOT NULL,
    earned_at TIMESTAMP WITH TIME ZONE NOT NULL,
    available_at TIMESTAMP WITH TIME ZONE NOT NULL,
    released_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_earning_lots PRIMARY KEY (id),
    CONSTRAINT ck_earning_lots_source CHECK (source IN ('subscription', 'unlock', 'tip', 'gift')),
    CONSTRAINT ck_earning_lots_sale CHECK (tax_minor >= 0 AND commission_minor >= 0 AND
        amount_minor >= 0),
    CONSTRAINT ck_earning_lots_parts CHECK (refunded_minor >= 0 AND reserved_minor >= 0 AND
        paid_out_minor >= 0 AND held_minor >= 0 AND debt_paid_minor >= 0),
    CONSTRAINT ck_earning_lots_remaining CHECK ((amount_minor - refunded_minor - reserved_minor -
        paid_out_minor - held_minor - debt_paid_minor) >= 0),
    CONSTRAINT ck_earning_lots_returned CHECK (returned_tax_minor BETWEEN 0 AND tax_minor AND
        returned_commission_minor BETWEEN 0 AND commission_minor AND returned_share_minor BETWEEN
        0 AND amount_minor),
    CONSTRAINT ck_earning_lots_pending_is_not_spent CHECK (released_at IS NOT NULL OR
        (reserved_minor + paid_out_minor + debt_paid_minor) = 0),
    CONSTRAINT fk_earning_lots_creator_id_creator_money FOREIGN KEY(creator_id) REFERENCES
        creator_money (creator_id)
);
CREATE INDEX ix_earning_lots_available ON earning_lots (creator_id, currency, available_at, id)
    WHERE released_at IS NOT NULL AND remaining_minor > 0;
CREATE INDEX ix_earning_lots_creator_id_earned_at_id ON earning_lots (creator_id, earned_at, id);
CREATE INDEX ix_earning_lots_debt_paid ON earning_lots (creator_id, currency) WHERE
    debt_paid_minor > 0;
CREATE INDEX ix_earning_lots_due ON earning_lots (available_at, creator_id) WHERE released_at IS
    NULL;
CREATE INDEX ix_earning_lots_waiting ON earning_lots (creator_id, available_at) WHERE released_at
    IS NULL;
CREATE TABLE lot_movements (
    journal_id UUID NOT NULL,
    seq INTEGER NOT NULL,
    lot_id UUID NOT NULL,
    part VARCHAR NOT NULL,
    amount_minor BIGINT NOT NULL,
    CONSTRAINT pk_lot_movements PRIMARY KEY (journal_id, seq),
    CONSTRAINT ck_lot_movements_part CHECK (part IN ('refunded', 'reserved', 'paid_out', 'held',
        'debt_paid', 'returned_tax', 'returned_commission', 'returned_share')),
    CONSTRAINT ck_lot_movements_amount_minor CHECK (amount_minor <> 0),
    CONSTRAINT fk_lot_movements_journal_id_journals FOREIGN KEY(journal_id) REFERENCES journals
        (id),
    CONSTRAINT fk_lot_movements_lot_id_earning_lots FOREIGN KEY(lot_id) REFERENCES earning_lots
        (id)
);
CREATE INDEX ix_lot_movements_lot_id ON lot_movements (lot_id);
"""
BALANCES = """
CREATE FUNCTION refuse_unposted_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- 1: this trigger. More: a trigger on what was posted has caused the change.
    IF pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION '% follows from what is posted: % refused', TG_TABLE_NAME, TG_OP
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER account_balances_follow
    BEFORE INSERT OR UPDATE ON account_balances
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_unposted_change();

CREATE FUNCTION open_account_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO account_balances (account_id, allow_negative, allow_positive)
        SELECT id, allow_negative, allow_positive FROM made;
    RETURN NULL;
END
$$;
CREATE TRIGGER ledger_accounts_balance
    AFTER INSERT ON ledger_accounts REFERENCING NEW TABLE AS made
    FOR EACH STATEMENT EXECUTE FUNCTION open_account_balances();
"""
ENTRIES = """
CREATE FUNCTION require_open_journal(journal uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM journals j
        WHERE j.id = journal AND j.posted_in <> (pg_current_xact_id()::text)::bigint
    ) THEN
        RAISE EXCEPTION 'journal % was posted before and takes nothing more', journal
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
END
$$;

CREATE FUNCTION post_entries() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    book record;
BEGIN
    PERFORM require_open_journal(e.journal_id) FROM (SELECT DISTINCT journal_id FROM made) e;
    -- A transaction may post several journals. Rows in id order in each would not keep two of
    -- them from waiting for each other's platform accounts; one lock of each currency does.
    FOR book IN
        SELECT DISTINCT a.currency FROM made e JOIN ledger_accounts a ON a.id = e.account_id
        WHERE a.owner_type = 'platform' ORDER BY a.currency
    LOOP
        PERFORM pg_advisory_xact_lock(1818584167, hashtext(book.currency));
    END LOOP;
    PERFORM 1 FROM account_balances
        WHERE account_id IN (SELECT e.account_id FROM made e) ORDER BY account_id FOR UPDATE;
    UPDATE account_balances b
        SET posted_minor = b.posted_minor + m.amount_minor, version = b.version + 1
        FROM (
            SELECT e.account_id, sum(e.amount_minor)::bigint AS amount_minor
            FROM made e GROUP BY e.account_id
        ) m
        WHERE b.account_id = m.account_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER journal_entries_posted
    AFTER INSERT ON journal_entries REFERENCING NEW TABLE AS made
    FOR EACH STATEMENT EXECUTE FUNCTION post_entries();

CREATE FUNCTION require_balanced_journal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    journal uuid;
    entries bigint;
    uneven record;
BEGIN
    IF TG_TABLE_NAME = 'journals' THEN
        journal := NEW.id;
    ELSE
        journal := NEW.journal_id;
    END IF;
    SELECT count(*) INTO entries FROM journal_entries e WHERE e.journal_id = journal;
    IF entries < 2 THEN
        RAISE EXCEPTION 'journal % has % entries and needs two', journal, entries
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    SELECT e.currency, sum(e.amount_minor) AS amount_minor INTO uneven
        FROM journal_entries e WHERE e.journal_id = journal
        GROUP BY e.currency HAVING sum(e.amount_minor) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'journal % does not balance: % %',
            journal, uneven.amount_minor, uneven.currency
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER journals_balance
    AFTER INSERT ON journals DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION require_balanced_journal();
CREATE CONSTRAINT TRIGGER journal_entries_balance
    AFTER INSERT ON journal_entries DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION require_balanced_journal();
"""
LOTS = """
CREATE FUNCTION move_lots() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM require_open_journal(m.journal_id) FROM (SELECT DISTINCT journal_id FROM made) m;
    UPDATE earning_lots l SET
        refunded_minor = l.refunded_minor + m.refunded,
        reserved_minor = l.reserved_minor + m.reserved,
        paid_out_minor = l.paid_out_minor + m.paid_out,
        held_minor = l.held_minor + m.held,
        debt_paid_minor = l.debt_paid_minor + m.debt_paid,
        returned_tax_minor = l.returned_tax_minor + m.returned_tax,
        returned_commission_minor = l.returned_commission_minor + m.returned_commission,
        returned_share_minor = l.returned_share_minor + m.returned_share
    FROM (
        SELECT lot_id,
            coalesce(sum(amount_minor) FILTER (WHERE part = 'refunded'), 0)
                AS refunded,
            coalesce(sum(amount_minor) FILTER (WHERE part = 'reserved'), 0)
                AS reserved,
            coalesce(sum(amount_minor) FILTER (WHERE part = 'paid_out'), 0)
                AS paid_out,
            coalesce(sum(amount_minor) FILTER (WHERE part = 'held'), 0)
                AS held,
            coalesce(sum(amount_minor) FILTER (WHERE part = 'debt_paid'), 0)
                AS debt_paid,
            coalesce(sum(amount_minor) FILTER (WHERE part = 'returned_tax'), 0)
                AS returned_tax,
            coalesce(sum(amount_minor) FILTER (WHERE part = 'returned_commission'), 0)
                AS returned_commission,
            coalesce(sum(amount_minor) FILTER (WHERE part = 'returned_share'), 0)
                AS returned_share
        FROM made GROUP BY lot_id
    ) m
    WHERE l.id = m.lot_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER lot_movements_posted
    AFTER INSERT ON lot_movements REFERENCING NEW TABLE AS made
    FOR EACH STATEMENT EXECUTE FUNCTION move_lots();

CREATE FUNCTION keep_lot() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.refunded_minor + NEW.reserved_minor + NEW.paid_out_minor + NEW.held_minor
            + NEW.debt_paid_minor + NEW.returned_tax_minor + NEW.returned_commission_minor
            + NEW.returned_share_minor <> 0 OR NEW.released_at IS NOT NULL
        THEN
            RAISE EXCEPTION 'a lot begins whole and pending'
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.released_at IS NOT NULL AND NEW.released_at IS DISTINCT FROM OLD.released_at THEN
        RAISE EXCEPTION 'lot % was released before', OLD.id
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- The generated column is computed after this.
    IF pg_trigger_depth() < 2
        AND to_jsonb(NEW) - 'released_at' - 'remaining_minor'
        IS DISTINCT FROM to_jsonb(OLD) - 'released_at' - 'remaining_minor'
    THEN
        RAISE EXCEPTION 'earning_lots follows from what is posted: % refused', TG_OP
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER earning_lots_kept
    BEFORE INSERT OR UPDATE ON earning_lots FOR EACH ROW EXECUTE FUNCTION keep_lot();
"""
INSERT_ONLY = ("ledger_accounts", "journals", "journal_entries", "lot_movements")
NEVER_DELETED = ("account_balances", "earning_lots")
REFERENCED = ("ledger_accounts", "journals")
"""Checking a foreign key locks the row that it names, as the owner of that table, and needs the
right to update it. On these the trigger alone keeps from updates."""
FUNCTIONS = (
    "keep_lot()",
    "move_lots()",
    "require_balanced_journal()",
    "post_entries()",
    "require_open_journal(uuid)",
    "open_account_balances()",
    "refuse_unposted_change()",
)


def upgrade() -> None:
    for statements in (TABLES, BALANCES, ENTRIES, LOTS):
        op.execute(statements)
    for table in INSERT_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    for table in NEVER_DELETED:
        op.execute(
            f"CREATE TRIGGER {table}_stay BEFORE DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    for table in (*INSERT_ONLY, *NEVER_DELETED):
        op.execute(f"REVOKE DELETE, TRUNCATE ON {table} FROM PUBLIC, CURRENT_USER")
    for table in INSERT_ONLY:
        if table not in REFERENCED:
            op.execute(f"REVOKE UPDATE ON {table} FROM PUBLIC, CURRENT_USER")


def downgrade() -> None:
    for table in (
        "lot_movements",
        "earning_lots",
        "journal_entries",
        "journals",
        "account_balances",
        "ledger_accounts",
        "creator_money",
    ):
        op.drop_table(table)
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
