"""Where somebody is signed in: the list, and ending one of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, update

from domain.accounts import Role
from infra.db import transaction
from infra.ids import new_id
from infra.models import AuthSession
from tests.e2e.api.auth.accounts import AUTH, PASSWORD, Accounts

SESSIONS = f"{AUTH}/sessions"


def test_the_list_tells_the_devices_of_one_account_newest_first(accounts: Accounts) -> None:
    user = accounts.make()
    accounts.signed_in(accounts.make())
    answer = accounts.api.client().post(
        f"{AUTH}/login",
        json={"name": user.handle, "password": PASSWORD},
        headers={"user-agent": "An app \t of mine " + "x" * 400},
    )
    phone, (here, begun) = answer.json(), accounts.signed_in(user)
    body = here.get(SESSIONS).json()
    assert [each["id"] for each in body["data"]] == [begun["session_id"], phone["session_id"]]
    assert [each["is_current"] for each in body["data"]] == [True, False]
    assert (body["has_more"], body["next_cursor"]) == (False, None)
    first, second = body["data"]
    assert (first["mode"], first["methods"], first["ip"]) == ("bearer", ["pwd"], "127.0.0.1")
    assert first["has_second_factor"] is False
    assert second["user_agent"].startswith("An app  of mine xxx")
    assert len(second["user_agent"]) == 256
    assert phone["access_token"] not in str(body) and phone["refresh_token"] not in str(body)


def test_the_list_comes_in_pages_and_without_what_is_over(
    accounts: Accounts, engine: Engine
) -> None:
    user = accounts.make()
    client, _ = accounts.signed_in(user)
    ids = [accounts.signed_in(user)[1]["session_id"] for _ in range(5)]
    with transaction(engine) as session:
        past = datetime.now(UTC) - timedelta(seconds=1)
        session.execute(update(AuthSession).values(expires_at=past).where(AuthSession.id == ids[0]))
        session.execute(update(AuthSession).values(revoked_at=past).where(AuthSession.id == ids[1]))
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = client.get(SESSIONS, params=params).json()
        seen += [each["id"] for each in page["data"]]
        cursor = page["next_cursor"]
        assert page["has_more"] is (cursor is not None)
    assert seen[:3] == ids[:1:-1]
    assert len(seen) == 4


def test_a_revoked_device_is_out_at_once_and_only_it(accounts: Accounts) -> None:
    user = accounts.make()
    here, _ = accounts.signed_in(user)
    there, lost = accounts.signed_in(user)
    path = f"{SESSIONS}/{lost['session_id']}"
    assert here.delete(path).status_code == 204
    assert there.get(SESSIONS).json()["code"] == "session_ended"
    assert here.get(SESSIONS).status_code == 200
    again = here.delete(path)
    assert (again.status_code, again.json()["code"]) == (404, "session_not_found")
    [entry] = [each for each in accounts.audited() if each.action == "session.revoked"]
    assert entry.detail["revoked_session_id"] == lost["session_id"]


@pytest.mark.parametrize("whose", ["nobody's", "somebody else's"])
def test_what_is_not_ones_own_session_is_not_there(accounts: Accounts, whose: str) -> None:
    client, _ = accounts.signed_in(accounts.make())
    _, other = accounts.signed_in(accounts.make(role=Role.ADMIN))
    session_id = other["session_id"] if whose == "somebody else's" else new_id()
    answer = client.delete(f"{SESSIONS}/{session_id}")
    assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")
