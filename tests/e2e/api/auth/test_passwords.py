"""Changing a password, and setting a new one by mail."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest
from sqlalchemy import Engine, update

from domain.auth import MailKind
from infra.db import transaction
from infra.models import Mail
from tests.e2e.api.auth.accounts import AUTH, OTHER_PASSWORD, PASSWORD, Accounts, counting

THIRD_PASSWORD = "copper kettle beside nine maps"


def change(client: httpx.Client, **fields: Any) -> httpx.Response:
    body = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD} | fields
    return client.post(f"{AUTH}/password/change", json=body)


def forgot(accounts: Accounts, email: str) -> httpx.Response:
    return accounts.ask("/password/forgot", {"email": email})


def reset(accounts: Accounts, token: str, password: str = OTHER_PASSWORD) -> httpx.Response:
    body = {"token": token, "new_password": password}
    return accounts.api.client().post(f"{AUTH}/password/reset", json=body)


def reset_token(accounts: Accounts, email: str) -> str:
    assert forgot(accounts, email).status_code == 202
    return accounts.token_in(accounts.mails(MailKind.RESET_PASSWORD)[-1])


def test_a_change_ends_the_other_sessions_and_tells_the_owner(accounts: Accounts) -> None:
    user = accounts.make()
    here, begun = accounts.signed_in(user)
    there, _ = accounts.signed_in(user)
    assert change(here).status_code == 204
    assert here.get(f"{AUTH}/sessions").status_code == 200
    assert there.get(f"{AUTH}/sessions").json()["code"] == "session_ended"
    assert accounts.login(user).status_code == 401
    assert accounts.login(user, password=OTHER_PASSWORD).status_code == 200
    [notice] = accounts.mails(MailKind.SECURITY_NOTICE)
    assert (notice.user_id, notice.facts["event"]) == (user.id, "password_changed")
    [entry] = [each for each in accounts.audited() if each.action == "password.changed"]
    assert entry.detail == {
        "session_id": begun["session_id"],
        "ip": "127.0.0.1",
        "sessions": "1",
    }


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"current_password": OTHER_PASSWORD}, 403, "password_wrong"),
        ({"new_password": PASSWORD}, 422, "password_unchanged"),
        ({"new_password": "too short"}, 422, "password_too_short"),
        ({"new_password": "x" * 129}, 422, "password_too_long"),
        ({"new_password": "qwertyuiop12"}, 422, "password_common"),
        ({"new_password": "Mia Tanaka 26"}, 422, "password_personal"),
    ],
)
def test_a_change_that_is_refused_changes_nothing(
    accounts: Accounts, fields: dict[str, Any], status: int, code: str
) -> None:
    user = accounts.make(handle="mia.tanaka")
    client, _ = accounts.signed_in(user)
    with counting("verify") as verified:
        answer = change(client, **fields)
    assert (answer.status_code, answer.json()["code"], verified) == (status, code, [1])
    assert accounts.read(user).password_hash == user.password_hash
    assert accounts.mails(MailKind.SECURITY_NOTICE) == []


def test_of_two_changes_at_once_one_counts(accounts: Accounts) -> None:
    user = accounts.make()
    client, _ = accounts.signed_in(user)
    with ThreadPoolExecutor(2) as pool:
        answers = pool.map(
            lambda new: change(client, new_password=new), (OTHER_PASSWORD, THIRD_PASSWORD)
        )
        assert sorted(answer.status_code for answer in answers) == [204, 403]


def test_a_mailed_link_sets_a_password_once_and_ends_all_sessions(accounts: Accounts) -> None:
    user = accounts.make(email="mia@example.com")
    client, _ = accounts.signed_in(user)
    token = reset_token(accounts, "MIA@example.com")
    answer = reset(accounts, token)
    assert (answer.status_code, answer.content) == (204, b"")
    assert client.get(f"{AUTH}/sessions").json()["code"] == "session_ended"
    assert accounts.login(user).status_code == 401
    assert accounts.login(user, password=OTHER_PASSWORD).status_code == 200
    again = reset(accounts, token, THIRD_PASSWORD)
    assert (again.status_code, again.json()["code"]) == (410, "link_used")
    [notice] = accounts.mails(MailKind.SECURITY_NOTICE)
    assert notice.facts["event"] == "password_reset"
    assert "password.reset" in [entry.action for entry in accounts.audited()]


def test_asking_for_a_link_tells_nothing_of_the_address(accounts: Accounts) -> None:
    accounts.make(email="mia@example.com")
    accounts.make(email="unverified@example.com", email_verified_at=None)
    accounts.make(email="gone@example.com", deleted_at=datetime.now(UTC))
    names = ("mia", "unverified", "gone", "nobody")
    answers = [forgot(accounts, f"{name}@example.com") for name in names]
    assert len({(answer.status_code, answer.content) for answer in answers}) == 1
    assert [mail.address for mail in accounts.mails(MailKind.RESET_PASSWORD)] == ["mia@example.com"]


def test_a_link_is_mailed_once_a_minute(accounts: Accounts, engine: Engine) -> None:
    accounts.make(email="mia@example.com")
    for mails in (1, 1):
        forgot(accounts, "mia@example.com")
        assert len(accounts.mails(MailKind.RESET_PASSWORD)) == mails
    with transaction(engine) as session:
        session.execute(update(Mail).values(created_at=datetime.now(UTC) - timedelta(minutes=2)))
    forgot(accounts, "mia@example.com")
    assert len(accounts.mails(MailKind.RESET_PASSWORD)) == 2


def test_a_password_that_is_set_voids_every_link_mailed_before(
    accounts: Accounts, engine: Engine
) -> None:
    user = accounts.make(email="mia@example.com")
    client, _ = accounts.signed_in(user)
    old = reset_token(accounts, "mia@example.com")
    with transaction(engine) as session:
        session.execute(update(Mail).values(created_at=datetime.now(UTC) - timedelta(minutes=2)))
    newer = reset_token(accounts, "mia@example.com")
    assert old != newer
    assert change(client).status_code == 204
    for token in (old, newer):
        answer = reset(accounts, token, THIRD_PASSWORD)
        assert (answer.status_code, answer.json()["code"]) == (410, "link_used")


def test_of_two_resets_by_one_link_at_once_one_counts(accounts: Accounts) -> None:
    accounts.make(email="mia@example.com")
    token = reset_token(accounts, "mia@example.com")
    with ThreadPoolExecutor(2) as pool:
        answers = pool.map(
            lambda new: reset(accounts, token, new), (OTHER_PASSWORD, THIRD_PASSWORD)
        )
        assert sorted(answer.status_code for answer in answers) == [204, 410]


def test_a_password_that_is_refused_leaves_the_link_good(accounts: Accounts) -> None:
    accounts.make(email="mia@example.com")
    token = reset_token(accounts, "mia@example.com")
    assert reset(accounts, token, "password1234").json()["code"] == "password_common"
    assert reset(accounts, token).status_code == 204


def test_a_link_to_verify_an_address_sets_no_password(accounts: Accounts) -> None:
    wish = {"handle": "mia", "email": "mia@example.com", "password": PASSWORD}
    accounts.api.client().post(f"{AUTH}/register", json=wish)
    [mail] = accounts.mails(MailKind.VERIFY_EMAIL)
    answer = reset(accounts, accounts.token_in(mail))
    assert (answer.status_code, answer.json()["code"]) == (422, "link_invalid")
