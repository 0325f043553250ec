"""A statement that Postgres refuses quotes the row; what is written down of it does not."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from activities.errors import without_values
from infra.db import transaction
from infra.models import Mail
from tests.harness.rows import MakeUser

ADDRESS = "ada.lovelace@example.com"


def test_a_row_that_is_refused_is_told_by_its_rule_alone(
    engine: Engine, make_user: MakeUser
) -> None:
    with pytest.raises(IntegrityError) as refused, transaction(engine) as session:
        user = make_user()
        session.add(Mail(id=user.id, user_id=user.id, kind="no_kind", address=ADDRESS))
    assert ADDRESS in str(refused.value), "or there would be nothing to hide"
    plain = without_values(refused.value)
    assert str(plain).startswith("IntegrityError: Postgres refused a statement (sqlstate=23514")
    assert "table=mails" in str(plain) and "constraint=ck_mails_kind" in str(plain)
    assert ADDRESS not in str(plain)
    assert without_values(refused.value.orig or plain).args != (), "psycopg's own, too"


def test_a_value_that_does_not_fit_is_not_repeated(engine: Engine) -> None:
    with pytest.raises(DBAPIError) as refused, transaction(engine) as session:
        session.execute(text("SELECT CAST(:value AS integer)"), {"value": ADDRESS})
    assert ADDRESS not in str(without_values(refused.value))


def test_that_the_database_is_away_is_said_as_it_is() -> None:
    away = OperationalError("SELECT 1", {}, Exception("connection refused"))
    assert without_values(away) is away
