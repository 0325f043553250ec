"""A creator's dashboard and statements, over HTTP."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from domain.access import GrantSource
from domain.ledger.accounts import AccountKind
from infra.db import transaction
from infra.queries.ledger.posting import balance_of
from tests.e2e.api.admin.conftest import Office
from tests.harness.earnings import Earner
from tests.harness.rows import Entitle, MakeUser

ME = "/api/v1/me"
DAY = timedelta(days=1)


def test_days_add_up_to_what_the_ledger_holds(
    office: Office, earner: Earner, engine: Engine
) -> None:
    earner.earn(4_000)
    charge_id = earner.sell(2_500)
    earner.refund(charge_id, 1_000)
    answer = office.client(office.people.owner).get(f"{ME}/earnings")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    [total] = body["totals"]
    assert total["sales"] == 2
    assert total["gross_minor"] == 7_500
    assert total["given_back_minor"] == 1_000
    with transaction(engine) as session:
        held = sum(
            balance_of(session, kind, currency="USD", creator_id=earner.id)
            for kind in (AccountKind.PENDING, AccountKind.AVAILABLE)
        )
    assert total["net_minor"] == held
    for sums in (total, *body["days"]):
        left = sums["gross_minor"] - sums["given_back_minor"]
        assert left == sums["tax_minor"] + sums["commission_minor"] + sums["net_minor"]
    assert sum(day["net_minor"] for day in body["days"]) == held


def test_subscribers_are_counted_at_both_ends(
    office: Office, earner: Earner, make_user: MakeUser, entitle: Entitle
) -> None:
    now = datetime.now(UTC)
    long_ago, lately = now - 90 * DAY, now - 5 * DAY
    for starts_at, expires_at in (
        (long_ago, None),
        (long_ago, lately),
        (lately, None),
        (lately, now - DAY),
    ):
        entitle(
            make_user(),
            creator_id=earner.id,
            source=GrantSource.SUBSCRIPTION.value,
            starts_at=starts_at,
            expires_at=expires_at,
        )
    body = office.client(office.people.owner).get(f"{ME}/earnings").json()
    assert body["subscribers"] == {
        "at_start": 2,
        "at_end": 2,
        "joined": 2,
        "left": 1,
        "churn_bps": 5_000,
    }


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("from=2026-03-02&to=2026-03-01", "period_reversed"),
        ("from=2020-01-01&to=2026-03-01", "period_too_long"),
        ("to=0001-01-01", "invalid_request"),
        ("from=9999-12-31&to=9999-12-31", "invalid_request"),
    ],
)
def test_what_can_not_be_asked_about(office: Office, query: str, code: str) -> None:
    answer = office.client(office.people.owner).get(f"{ME}/earnings?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_a_statement_comes_as_table_and_as_pdf(office: Office, earner: Earner) -> None:
    earner.sell(2_500)
    month = f"{datetime.now(UTC):%Y-%m}"
    client = office.client(office.people.owner)
    table = client.get(f"{ME}/statements/{month}.csv")
    assert table.status_code == 200
    assert table.headers["content-type"].startswith("text/csv")
    events = [row["event"] for row in csv.DictReader(io.StringIO(table.text))]
    assert events == ["opening_balance", "sale", "closing_balance"]
    paper = client.get(f"{ME}/statements/{month}.pdf")
    assert paper.headers["content-type"] == "application/pdf"
    assert paper.content.startswith(b"%PDF-")


def test_a_month_that_is_none_or_is_to_come_has_no_statement(office: Office) -> None:
    client = office.client(office.people.owner)
    for month, code in (("2026-13", "month_invalid"), ("2999-01", "month_not_begun")):
        for kind in ("csv", "pdf"):
            answer = client.get(f"{ME}/statements/{month}.{kind}")
            assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_admins_read_what_is_told_to_tax_offices(office: Office, earner: Earner) -> None:
    earner.connect()
    earner.sell(2_500)
    answer = office.client(office.people.admin).get(
        f"/api/v1/admin/tax-reports/{datetime.now(UTC):%Y}"
    )
    assert answer.status_code == 200, answer.text
    [row] = csv.DictReader(io.StringIO(answer.text))
    assert (row["creator_id"], row["sales"], row["gross"]) == (earner.id, "1", "25.00")
