"""What the database itself refuses, tried with SQL as somebody would who means to break it."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.orm import Session

from domain.ledger.accounts import AccountKind
from infra.ids import new_id
from infra.queries.ledger.posting import account_id_of
from tests.integration.ledger.books import NOW, Books

TABLES = ("ledger_accounts", "journals", "journal_entries", "lot_movements")


def journal(session: Session, *amounts: tuple[AccountKind, int], creator_id: str) -> str:
    """Written past all of our own rules; `amounts` in USD."""
    journal_id = new_id()
    session.execute(
        text(
            "INSERT INTO journals (id, event_key, body_hash, kind, effective_at, creator_id)"
            " VALUES (:id, CAST(:id AS uuid)::text, '', 'sale', :at, :creator_id)"
        ),
        {"id": journal_id, "at": NOW, "creator_id": creator_id},
    )
    for seq, (kind, amount) in enumerate(amounts):
        entry(session, journal_id, seq, account_id_of(kind, "USD", creator_id), amount)
    return journal_id


def entry(
    session: Session,
    journal_id: str,
    seq: int,
    account_id: str,
    amount: int,
    *,
    currency: str = "USD",
) -> None:
    session.execute(
        text("INSERT INTO journal_entries VALUES (:journal, :seq, :account, :currency, :amount)"),
        {
            "journal": journal_id,
            "seq": seq,
            "account": account_id,
            "currency": currency,
            "amount": amount,
        },
    )


def commit(session: Session) -> None:
    """As far as the constraints that wait for it are concerned."""
    session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))


def later(session: Session) -> None:
    """What was posted was posted by an earlier transaction."""
    for statement in (
        "SET LOCAL session_replication_role = replica",
        "UPDATE journals SET posted_in = posted_in - 1",
        "SET LOCAL session_replication_role = origin",
    ):
        session.execute(text(statement))


@pytest.mark.parametrize(
    "amounts",
    [
        [],
        [(AccountKind.COMMISSION, 5)],
        [(AccountKind.COMMISSION, 5), (AccountKind.STRIPE_CLEARING, -4)],
    ],
)
def test_a_journal_that_does_not_balance(
    books: Books, amounts: list[tuple[AccountKind, int]]
) -> None:
    books.sell()
    journal(books.session, *amounts, creator_id=books.creator_id)
    with pytest.raises(IntegrityError, match=r"balance|needs two"):
        commit(books.session)


def test_a_journal_balances_in_each_currency(books: Books) -> None:
    books.sell()
    Books(books.session, books.creator_id, currency="EUR").sell()
    made = journal(books.session, (AccountKind.COMMISSION, 5), creator_id=books.creator_id)
    euros = account_id_of(AccountKind.STRIPE_CLEARING, "EUR", None)
    entry(books.session, made, 9, euros, -5, currency="EUR")
    with pytest.raises(IntegrityError, match="does not balance"):
        commit(books.session)


def test_an_entry_is_in_its_accounts_currency(books: Books) -> None:
    books.sell()
    made = journal(books.session, creator_id=books.creator_id)
    with pytest.raises(IntegrityError, match="account_id_currency"):
        account = account_id_of(AccountKind.COMMISSION, "USD", None)
        entry(books.session, made, 1, account, 5, currency="EUR")


def test_an_entry_of_nothing(books: Books) -> None:
    books.sell()
    with pytest.raises(IntegrityError, match="amount_minor"):
        journal(books.session, (AccountKind.COMMISSION, 0), creator_id=books.creator_id)


def test_a_balanced_pair_is_not_added_to_a_journal_that_was_posted_before(books: Books) -> None:
    books.sell()
    later(books.session)
    first = books.session.scalar(text("SELECT id FROM journals"))
    with pytest.raises(IntegrityError, match="posted before"):
        entry(books.session, first, 7, account_id_of(AccountKind.COMMISSION, "USD", None), 5)


def test_a_movement_is_not_added_to_a_journal_that_was_posted_before(books: Books) -> None:
    books.sell()
    later(books.session)
    with pytest.raises(IntegrityError, match="posted before"):
        books.session.execute(
            text(
                "INSERT INTO lot_movements SELECT j.id, 1, l.id, 'refunded', 5"
                " FROM journals j, earning_lots l"
            )
        )


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "statement", ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}", "TRUNCATE {0} CASCADE"]
)
def test_what_is_posted_stays(books: Books, table: str, statement: str) -> None:
    charge_id = books.sell()
    books.refund(charge_id, 100)
    commit(books.session)
    column = "journal_id" if table in ("journal_entries", "lot_movements") else "id"
    with pytest.raises(ProgrammingError, match="insert-only"):
        books.session.execute(text(statement.format(table, column)))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE account_balances SET posted_minor = posted_minor + 1",
        "UPDATE account_balances SET version = 0",
        "UPDATE account_balances SET allow_negative = true",
        "INSERT INTO account_balances SELECT * FROM account_balances",
        "DELETE FROM account_balances",
        "TRUNCATE account_balances",
        "UPDATE earning_lots SET refunded_minor = 1",
        "UPDATE earning_lots SET amount_minor = amount_minor + 1",
        "UPDATE earning_lots SET available_at = now()",
        "UPDATE earning_lots SET creator_id = creator_id, currency = 'EUR'",
        "DELETE FROM earning_lots",
        "TRUNCATE earning_lots CASCADE",
        "INSERT INTO earning_lots (id, creator_id, currency, source, tax_minor, commission_minor,"
        " amount_minor, paid_out_minor, earned_at, available_at) SELECT gen_random_uuid(),"
        " creator_id, 'USD', 'tip', 0, 0, 5, 5, now(), now() FROM creator_money",
    ],
)
def test_balances_and_lots_only_follow(books: Books, statement: str) -> None:
    books.sell()
    commit(books.session)
    with pytest.raises(ProgrammingError, match=r"follows from|insert-only|begins whole"):
        books.session.execute(text(statement))


def test_a_lot_is_released_once(books: Books) -> None:
    books.sell()
    books.release()
    for moment in ("NULL", "now()"):
        with (
            pytest.raises(ProgrammingError, match="released before"),
            books.session.begin_nested(),
        ):
            books.session.execute(text(f"UPDATE earning_lots SET released_at = {moment}"))


@pytest.mark.parametrize(
    ("kind", "amount"),
    [
        (AccountKind.PENDING, -801),
        (AccountKind.AVAILABLE, -1),
        (AccountKind.RESERVE, -1),
        (AccountKind.DISPUTE_HOLD, -1),
        (AccountKind.PAYOUT_IN_FLIGHT, -1),
        (AccountKind.DEBT, 1),
        (AccountKind.BAD_DEBT, 1),
        (AccountKind.PAYOUT_CLEARING, 1),
        (AccountKind.DISPUTE_RECEIVABLE, 1),
    ],
)
def test_a_kind_stays_on_its_side(books: Books, kind: AccountKind, amount: int) -> None:
    books.sell()
    owner = books.creator_id if kind.owner_type == "creator" else None
    books.session.execute(
        text(
            "INSERT INTO ledger_accounts VALUES"
            " (:id, :type, :owner, :kind, 'USD', :negative, :positive) ON CONFLICT DO NOTHING"
        ),
        {
            "id": account_id_of(kind, "USD", owner),
            "type": kind.owner_type.value,
            "owner": owner,
            "kind": kind.value,
            "negative": kind.allow_negative,
            "positive": kind.allow_positive,
        },
    )
    with pytest.raises(IntegrityError, match=r"never_negative|never_positive"):
        journal(
            books.session,
            (kind, amount),
            (AccountKind.COMMISSION, -amount),
            creator_id=books.creator_id,
        )


@pytest.mark.parametrize(
    "values",
    [
        "'creator', NULL, 'pending', 'USD', false, true",
        "'platform', :creator, 'commission', 'USD', true, true",
        "'creator', :creator, 'commission', 'USD', false, true",
        "'platform', NULL, 'pending', 'USD', true, true",
        "'creator', :creator, 'available', 'USD', true, true",
        "'creator', :creator, 'debt', 'USD', true, true",
        "'platform', NULL, 'commission', 'USD', true, true",
        "'creator', :creator, 'gold', 'USD', false, true",
    ],
    ids=[
        "nobody's",
        "a creator as the platform",
        "a creator's commission",
        "the platform's earnings",
        "negative earnings",
        "a debt above zero",
        "a second commission",
        "an unknown kind",
    ],
)
def test_accounts_that_can_not_be(books: Books, values: str) -> None:
    books.sell()
    with pytest.raises(IntegrityError):
        books.session.execute(
            text(f"INSERT INTO ledger_accounts VALUES (:id, {values})"),
            {"id": new_id(), "creator": books.creator_id},
        )


@pytest.mark.parametrize(
    ("part", "amount", "match"),
    [
        ("refunded", 801, "remaining"),
        ("refunded", -1, "parts"),
        ("held", -1, "parts"),
        ("reserved", 1, "pending_is_not_spent"),
        ("debt_paid", 1, "pending_is_not_spent"),
        ("returned_share", 801, "returned"),
        ("returned_commission", 201, "returned"),
        ("returned_tax", 1, "returned"),
        ("returned_tax", 0, "amount_minor"),
        ("eaten", 1, "part"),
    ],
)
def test_a_lot_holds_no_more_and_no_less_than_it_can(
    books: Books, part: str, amount: int, match: str
) -> None:
    charge_id = books.sell()
    with pytest.raises(IntegrityError, match=match):
        books.session.execute(
            text("INSERT INTO lot_movements SELECT id, 50, :lot, :part, :amount FROM journals"),
            {"lot": charge_id, "part": part, "amount": amount},
        )


def test_a_journal_is_taken_back_once(books: Books) -> None:
    charge_id = books.sell()
    for key in ("a", "b"):
        statement = text(
            "INSERT INTO journals (id, event_key, body_hash, kind, effective_at, reverses_id)"
            " SELECT gen_random_uuid(), :key, '', 'refund_failed', now(), id"
            " FROM journals WHERE charge_id = :charge"
        )
        values = {"key": key, "charge": charge_id}
        if key == "a":
            books.session.execute(statement, values)
        else:
            with pytest.raises(IntegrityError, match="reverses_id"):
                books.session.execute(statement, values)


def test_who_owns_the_tables_may_not_delete_either(books: Books) -> None:
    """Beside the triggers: the right itself is taken from the owner, where that is no superuser."""
    rights = books.session.execute(
        text(
            "SELECT relname, privilege_type FROM pg_class c"
            " JOIN pg_roles r ON r.oid = c.relowner"
            " CROSS JOIN LATERAL aclexplode(c.relacl) a"
            " WHERE relname = ANY(:tables) AND a.grantee = c.relowner"
        ),
        {"tables": [*TABLES, "account_balances", "earning_lots"]},
    ).all()
    held = {(table, right) for table, right in rights}
    for table in (*TABLES, "account_balances", "earning_lots"):
        assert (table, "INSERT") in held
        assert not {(table, "DELETE"), (table, "TRUNCATE")} & held
    assert not {("journal_entries", "UPDATE"), ("lot_movements", "UPDATE")} & held


def test_an_owner_without_the_right_still_posts(books: Books) -> None:
    """Foreign keys are checked as the owner of what they name; that has to go on working."""
    session = books.session
    session.execute(text("CREATE ROLE ledger_owner"))
    session.execute(text("GRANT ALL ON SCHEMA public TO ledger_owner"))
    for table in (*TABLES, "account_balances", "earning_lots", "creator_money", "users"):
        session.execute(text(f"ALTER TABLE {table} OWNER TO ledger_owner"))
    session.execute(text("SET LOCAL ROLE ledger_owner"))
    charge_id = books.sell()
    books.refund(charge_id, 300)
    books.release()
    books.reserve()
    commit(session)
    for table in ("journal_entries", "lot_movements", "journals"):
        with pytest.raises(DBAPIError, match="permission denied"), session.begin_nested():
            session.execute(text(f"DELETE FROM {table}"))
