"""Signing in with a password, going on by refresh tokens, and signing out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
import pytest
from sqlalchemy import Engine, func, select, update

from domain.auth import MailKind
from infra.db import transaction
from infra.models import AuthChallenge, AuthSession, Passkey, RecoveryCode, RefreshToken, TotpSecret
from tests.e2e.api.auth.accounts import AUTH, OTHER_PASSWORD, PASSWORD, Accounts, counting, hash_of
from tests.harness.api import StartApi

NOW = datetime.now(UTC)


def refreshed(accounts: Accounts, refresh_token: str) -> httpx.Response:
    body = {"refresh_token": refresh_token}
    return accounts.api.client().post(f"{AUTH}/refresh", json=body)


@pytest.mark.parametrize("name", ["mia", "MIA", " mia@example.com ", "Mia@Example.COM"])
def test_a_handle_or_an_address_signs_in(accounts: Accounts, name: str) -> None:
    user = accounts.make(handle="mia", email="mia@example.com")
    answer = accounts.login(user, name=name)
    body = answer.json()
    assert (answer.status_code, body["status"], body["user_id"]) == (200, "signed_in", user.id)
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 600)
    assert "set-cookie" not in answer.headers
    me = accounts.api.client(token=body["access_token"]).get(f"{AUTH}/sessions").json()
    assert [each["id"] for each in me["data"]] == [body["session_id"]]


def test_of_one_address_the_account_that_verified_it_is_meant(accounts: Accounts) -> None:
    mine = accounts.make(email="mia@example.com")
    accounts.make(
        email="mia@example.com", email_verified_at=None, password_hash=hash_of(OTHER_PASSWORD)
    )
    assert accounts.login(mine, name="mia@example.com").json()["user_id"] == mine.id
    refused = accounts.login(mine, name="mia@example.com", password=OTHER_PASSWORD)
    assert refused.status_code == 401


@pytest.mark.parametrize(
    ("columns", "password", "status", "code"),
    [
        ({}, "not the password", 401, "credentials_wrong"),
        ({"password_hash": None}, PASSWORD, 401, "credentials_wrong"),
        ({"deleted_at": NOW}, PASSWORD, 401, "credentials_wrong"),
        ({"email_verified_at": None}, "not the password", 401, "credentials_wrong"),
        ({"email_verified_at": None}, PASSWORD, 403, "email_unverified"),
        ({"suspended_at": NOW}, "not the password", 401, "credentials_wrong"),
        ({"suspended_at": NOW}, PASSWORD, 403, "suspended"),
        ({"suspended_at": NOW, "email_verified_at": None}, PASSWORD, 403, "suspended"),
    ],
)
def test_who_may_not_sign_in_hears_why_only_with_the_right_password(
    accounts: Accounts, columns: dict[str, Any], password: str, status: int, code: str
) -> None:
    answer = accounts.login(accounts.make(**columns), password=password)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert accounts.audited() == []


def test_a_wrong_password_and_an_unknown_name_are_one_answer_after_one_verification(
    accounts: Accounts,
) -> None:
    known, unset = accounts.make(), accounts.make(password_hash=None)
    answers = []
    for name in (known.handle, unset.handle, "nobody", "nobody@example.com", known.email):
        with counting("verify") as verified, counting("hash") as hashed:
            answer = accounts.api.client().post(
                f"{AUTH}/login",
                json={"name": name, "password": "wrong"},
                headers={"x-request-id": "the-same-for-all"},
            )
        assert (verified, hashed) == ([1], [0]), name
        answers.append((answer.status_code, answer.content))
    assert len(set(answers)) == 1


def test_a_hash_of_less_effort_is_replaced_at_the_next_sign_in(
    accounts: Accounts, start_api: StartApi
) -> None:
    user = accounts.make()
    stronger = start_api(password_hash_rounds=3)
    body = {"name": user.handle, "password": PASSWORD}
    for hashes in (1, 0):
        with counting("hash") as hashed:
            answer = stronger.client().post(f"{AUTH}/login", json=body)
        assert (answer.status_code, hashed) == (200, [hashes])
    stored = accounts.read(user).password_hash
    assert stored is not None and stored != user.password_hash and "t=3" in stored
    assert accounts.login(user).status_code == 200


def test_a_password_may_be_typed_in_any_unicode_form(accounts: Accounts) -> None:
    composed, decomposed = "grüne Brücke über Öl", "gru\u0308ne Bru\u0308cke u\u0308ber O\u0308l"
    user = accounts.make(password_hash=hash_of(composed))
    assert accounts.login(user, password=decomposed).status_code == 200


def test_a_second_factor_is_asked_for_and_no_session_begins(
    accounts: Accounts, engine: Engine
) -> None:
    user = accounts.make()
    with transaction(engine) as session:
        session.add(TotpSecret(user_id=user.id, key_id="k", secret_wrapped=b"-", confirmed_at=None))
        session.add(RecoveryCode(user_id=user.id, code_hash=b"-"))
    assert accounts.login(user).json()["status"] == "signed_in", "it is not confirmed yet"
    with transaction(engine) as session:
        session.execute(update(TotpSecret).values(confirmed_at=NOW))
        session.execute(update(AuthSession).values(revoked_at=NOW))
    answer = accounts.login(user).json()
    assert answer == {
        "status": "second_factor_required",
        "challenge_id": answer["challenge_id"],
        "methods": ["totp", "recovery_code"],
    }
    with transaction(engine) as session:
        challenge = session.get_one(AuthChallenge, answer["challenge_id"])
        assert (challenge.user_id, challenge.kind) == (user.id, "second_factor")
        live = select(func.count()).select_from(AuthSession).where(AuthSession.revoked_at.is_(None))
        assert session.scalar(live) == 0
        session.execute(update(RecoveryCode).values(used_at=NOW))
        session.add(
            Passkey(
                id=challenge.id,
                user_id=user.id,
                credential_id=b"-",
                public_key=b"-",
                sign_count=0,
                name="key",
            )
        )
    assert accounts.login(user).json()["methods"] == ["totp", "passkey"]


def test_a_session_goes_on_by_its_refresh_tokens(accounts: Accounts) -> None:
    user = accounts.make()
    _, begun = accounts.signed_in(user)
    answer = refreshed(accounts, begun["refresh_token"])
    body = answer.json()
    assert answer.status_code == 200
    assert (body["session_id"], body["user_id"]) == (begun["session_id"], user.id)
    assert body["refresh_token"] != begun["refresh_token"]
    client = accounts.api.client(token=body["access_token"])
    assert client.get(f"{AUTH}/sessions").status_code == 200


def test_a_refresh_sent_many_times_at_once_succeeds_each_time(accounts: Accounts) -> None:
    _, begun = accounts.signed_in(accounts.make())
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: refreshed(accounts, begun["refresh_token"]), range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8
    assert len({answer.json()["refresh_token"] for answer in answers}) == 8


def test_a_refresh_token_used_again_later_ends_the_session_and_tells_its_owner(
    accounts: Accounts, engine: Engine
) -> None:
    user = accounts.make()
    client, begun = accounts.signed_in(user)
    newest = refreshed(accounts, begun["refresh_token"]).json()["refresh_token"]
    with transaction(engine) as session:
        used = session.scalars(select(RefreshToken).where(RefreshToken.used_at.is_not(None))).one()
        used.used_at = datetime(2026, 1, 1, tzinfo=UTC)
    stolen = refreshed(accounts, begun["refresh_token"])
    assert (stolen.status_code, stolen.json()["code"]) == (401, "refresh_token_reused")
    after = refreshed(accounts, newest)
    assert (after.status_code, after.json()["code"]) == (401, "session_ended")
    assert client.get(f"{AUTH}/sessions").json()["code"] == "session_ended"
    [notice] = accounts.mails(MailKind.SECURITY_NOTICE)
    assert (notice.user_id, notice.facts["event"]) == (user.id, "session_stolen")
    assert [entry.action for entry in accounts.audited()] == [
        "session.begun",
        "session.token_reused",
    ]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (None, "refresh_token_missing"),
        ({"refresh_token": "x" * 43}, "refresh_token_invalid"),
        ({"refresh_token": "é"}, "refresh_token_invalid"),
    ],
)
def test_what_is_no_refresh_token_is_refused(
    accounts: Accounts, body: dict[str, str] | None, code: str
) -> None:
    answer = accounts.api.client().post(f"{AUTH}/refresh", json=body)
    assert (answer.status_code, answer.json()["code"]) == (401, code)


def test_signing_out_ends_this_session_at_once_and_no_other(accounts: Accounts) -> None:
    user = accounts.make()
    here, begun = accounts.signed_in(user)
    there, _ = accounts.signed_in(user)
    assert here.post(f"{AUTH}/logout").status_code == 204
    assert here.get(f"{AUTH}/sessions").json()["code"] == "session_ended"
    assert refreshed(accounts, begun["refresh_token"]).json()["code"] == "session_ended"
    assert there.get(f"{AUTH}/sessions").status_code == 200


def test_signing_out_everywhere_ends_all_sessions_of_one_account(accounts: Accounts) -> None:
    user = accounts.make()
    clients = [accounts.signed_in(user)[0] for _ in range(2)]
    bystander, _ = accounts.signed_in(accounts.make())
    assert clients[0].post(f"{AUTH}/logout-all").status_code == 204
    assert [each.get(f"{AUTH}/sessions").status_code for each in clients] == [401, 401]
    assert bystander.get(f"{AUTH}/sessions").status_code == 200


def test_signing_in_and_out_is_written_down_with_who_where_and_no_secret(
    accounts: Accounts,
) -> None:
    user = accounts.make()
    client, begun = accounts.signed_in(user)
    client.post(f"{AUTH}/logout", headers={"x-request-id": "request-of-logout"})
    came, went = accounts.audited()
    assert (came.action, went.action) == ("session.begun", "session.ended")
    for entry in (came, went):
        assert (entry.actor_id, entry.subject_id) == (user.id, user.id)
        assert entry.detail["session_id"] == begun["session_id"]
        assert entry.detail["ip"] == "127.0.0.1"
        assert PASSWORD not in str(entry.detail)
        assert begun["refresh_token"] not in str(entry.detail)
    assert went.request_id == "request-of-logout"
