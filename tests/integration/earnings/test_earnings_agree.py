"""What creators are told they earned is what the ledger says, to the minor unit."""

from __future__ import annotations

import csv
import io
import re
import zlib
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from domain.earnings.statements import Statement, statement_csv
from domain.ledger.accounts import OwnerType
from infra.ids import new_id
from infra.models import User
from infra.queries.earnings.statements import statement_of, year_of_creators
from infra.queries.ledger import lose_dispute
from infra.statement_pdf import statement_pdf
from tests.integration.ledger.books import Books

JANUARY = datetime(2030, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2030, 2, 1, tzinfo=UTC)
MARCH = datetime(2030, 3, 1, tzinfo=UTC)


@pytest.fixture
def books(session: Session) -> Books:
    """Two months of a creator: sales, refunds, a lost dispute, a payout."""
    creator_id = new_id()
    handle = f"c{creator_id.replace('-', '')}"
    session.add(User(id=creator_id, handle=handle, display_name="C", role="creator"))
    session.flush()
    books = Books(session, creator_id)
    books.now = JANUARY + timedelta(days=3)
    first = books.sell(10_000, tax_minor=1_900)
    second = books.sell(5_000)
    books.release()
    books.refund(first, 3_333)
    books.now = FEBRUARY + timedelta(days=1)
    third = books.sell(2_000)
    books.refund(second, 5_000)
    dispute = books.dispute(third, 2_000)
    books.now += timedelta(days=5)
    lose_dispute(
        session,
        dispute_id=dispute,
        at=books.now,
        stripe_ref=dispute,
        fee_borne_by=OwnerType.PLATFORM,
    )
    return books


def month(books: Books, start: datetime, end: datetime) -> Statement:
    return statement_of(
        books.session,
        books.creator_id,
        handle="maker",
        month=f"{start:%Y-%m}",
        start=start,
        end=end,
    )


def whole(books: Books) -> int:
    creators = {"pending", "available", "reserve", "dispute_hold", "payout_in_flight", "debt"}
    return sum(amount for kind, amount in books.balances().items() if kind in creators)


def test_a_month_closes_where_the_next_one_opens_and_the_last_is_the_ledger(books: Books) -> None:
    [january] = month(books, JANUARY, FEBRUARY).sections
    [february] = month(books, FEBRUARY, MARCH).sections
    assert january.opening_minor == 0
    assert january.closing_minor == february.opening_minor
    assert february.closing_minor == whole(books)
    for section in (january, february):
        changes = sum(line.change_minor for line in section.lines)
        assert section.opening_minor + changes == section.closing_minor
        for line in section.lines:
            if line.kind in ("sale", "refund", "dispute_lost"):
                parts = line.tax_minor + line.commission_minor + line.change_minor
                assert line.gross_minor == parts


def test_the_csv_has_a_line_for_each_event_between_its_balances(books: Books) -> None:
    statement = month(books, JANUARY, FEBRUARY)
    rows = list(csv.DictReader(io.StringIO(statement_csv(statement))))
    assert [row["event"] for row in rows] == [
        "opening_balance",
        "sale",
        "sale",
        "release",
        "refund",
        "closing_balance",
    ]
    assert rows[1]["gross"] == "100.00"
    assert rows[4]["gross"] == "-33.33"


def test_the_pdf_says_what_the_csv_says(books: Books) -> None:
    statement = month(books, JANUARY, FEBRUARY)
    written = statement_pdf(statement, created_at=MARCH)
    assert written == statement_pdf(statement, created_at=MARCH)
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", written, re.DOTALL)
    said = b"".join(zlib.decompress(each) for each in streams).decode("latin-1")
    assert "Statement 2030-01" in said
    assert f"At the end: {statement.sections[0].closing_minor / 100:.2f} USD" in said
    assert "-33.33" in said


def test_a_year_is_the_sum_of_its_sales_less_what_went_back(books: Books) -> None:
    [total] = [each for each in year_of_creators(books.session, 2030) if each.handle[0] == "c"]
    assert total.sales == 3
    kept = whole(books)
    assert total.net_minor == kept
    assert total.gross_by_quarter[1:] == (0, 0, 0)
    assert total.gross_minor + total.tax_minor == 17_000 - 3_333 - 5_000 - 2_000
    assert year_of_creators(books.session, 2029) == []
