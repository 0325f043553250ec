"""Registration: what is taken and what is not told, and whose an address becomes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest
from sqlalchemy import Engine, select, update

from domain.auth import MailKind
from infra.db import transaction
from infra.models import Mail, User
from tests.e2e.api.auth.accounts import AUTH, PASSWORD, Accounts, counting

SAME_ID = {"x-request-id": "the-same-for-all"}


def register(accounts: Accounts, handle: str, email: str, **fields: Any) -> httpx.Response:
    wish = {"handle": handle, "email": email, "password": PASSWORD, **fields}
    return accounts.api.client().post(f"{AUTH}/register", json=wish, headers=SAME_ID)


def verify(accounts: Accounts, token: str) -> httpx.Response:
    return accounts.api.client().post(f"{AUTH}/verify-email", json={"token": token})


def resend(accounts: Accounts, email: str) -> httpx.Response:
    return accounts.ask("/verify-email/resend", {"email": email})


def users(accounts: Accounts) -> dict[str, User]:
    with transaction(accounts.engine) as session:
        return {user.handle: user for user in session.scalars(select(User))}


def test_an_account_is_made_verified_and_signed_in_to(accounts: Accounts) -> None:
    answer = register(accounts, "mia", "Mia@Example.com", display_name="Mia Rossi")
    assert (answer.status_code, answer.json()) == (202, {"status": "mail_sent"})
    made = users(accounts)["mia"]
    assert (made.email, made.display_name, made.role) == ("Mia@example.com", "Mia Rossi", "fan")
    assert accounts.login(made).json()["code"] == "email_unverified"
    [mail] = accounts.mails(MailKind.VERIFY_EMAIL)
    assert (mail.user_id, mail.address) == (made.id, "Mia@example.com")
    verified = verify(accounts, accounts.token_in(mail))
    assert (verified.status_code, verified.content) == (204, b"")
    assert "set-cookie" not in verified.headers
    assert accounts.login(made, name="mia@example.com").status_code == 200
    assert [entry.action for entry in accounts.audited()] == [
        "user.registered",
        "email.verified",
        "session.begun",
    ]


def test_a_known_address_is_answered_like_an_unknown_one_and_its_owner_is_told(
    accounts: Accounts,
) -> None:
    owner = accounts.make(email="mia@example.com")
    answers = []
    for handle, email in (("one", "new@example.com"), ("two", "MIA@example.com")):
        with counting("hash") as hashed, counting("verify") as verified:
            answer = register(accounts, handle, email)
        assert (hashed, verified) == ([1], [0])
        answers.append((answer.status_code, answer.content))
    assert answers[0] == answers[1]
    [told] = accounts.mails(MailKind.ALREADY_REGISTERED)
    assert (told.user_id, told.address) == (owner.id, "mia@example.com")
    assert [mail.address for mail in accounts.mails(MailKind.VERIFY_EMAIL)] == ["new@example.com"]


def test_an_owner_is_told_once_a_minute_and_every_answer_is_the_same(accounts: Accounts) -> None:
    accounts.make(email="mia@example.com")
    answers = [register(accounts, handle, "mia@example.com") for handle in ("one", "two", "three")]
    assert {(each.status_code, each.content) for each in answers} == {
        (202, b'{"status":"mail_sent"}')
    }
    assert len(accounts.mails(MailKind.ALREADY_REGISTERED)) == 1
    with transaction(accounts.engine) as session:
        session.execute(update(Mail).values(created_at=datetime.now(UTC) - timedelta(minutes=1)))
    register(accounts, "four", "mia@example.com")
    assert len(accounts.mails(MailKind.ALREADY_REGISTERED)) == 2


def test_what_comes_after_a_registration_tells_nothing_of_the_address_either(
    accounts: Accounts,
) -> None:
    accounts.make(email="mia@example.com")
    answers = []
    for handle, email in (("one", "new@example.com"), ("two", "mia@example.com")):
        register(accounts, handle, email)
        again = register(accounts, handle, "third@example.com").json()
        login = accounts.login(users(accounts)[handle])
        resent = resend(accounts, email)
        answers.append((again["code"], login.status_code, login.json()["code"], resent.content))
    assert answers[0] == answers[1]
    assert answers[0][:3] == ("handle_taken", 403, "email_unverified")


def test_a_handle_is_given_once_to_whoever_comes_first(accounts: Accounts) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(lambda each: register(accounts, "mia", f"m{each}@example.com"), range(4))
        )
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409]
    refused = next(answer for answer in answers if answer.status_code == 409).json()
    assert (refused["code"], refused["facts"]) == ("handle_taken", {"handle": "mia"})
    assert len(accounts.mails(MailKind.VERIFY_EMAIL)) == 1


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"handle": "Mia"}, "handle_invalid"),
        ({"handle": "ad.min"}, "handle_reserved"),
        ({"password": "tea, 3 pots"}, "password_too_short"),
        ({"password": "password1234"}, "password_common"),
        ({"password": "mia.rossi-2026"}, "password_personal"),
        ({"email": "nobody"}, "invalid_request"),
        ({"email": "mia@localhost"}, "invalid_request"),
        ({"email": f"{'m' * 250}@example.com"}, "invalid_request"),
        ({"display_name": " "}, "invalid_request"),
        ({"display_name": "a\x00b"}, "invalid_request"),
        ({"display_name": "a\u202egnp.exe"}, "invalid_request"),
        ({"role": "admin"}, "invalid_request"),
    ],
)
def test_what_no_account_can_be_made_of(
    accounts: Accounts, fields: dict[str, Any], code: str
) -> None:
    wish = {"handle": "mia.rossi", "email": "mia@example.com", "password": PASSWORD} | fields
    answer = accounts.api.client().post(f"{AUTH}/register", json=wish)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert wish["password"] not in answer.text
    assert users(accounts) == {}


def test_the_first_to_verify_an_address_keeps_it(accounts: Accounts) -> None:
    for handle in ("one", "two", "three"):
        register(accounts, handle, "mia@example.com")
    made = users(accounts)
    tokens = {
        mail.user_id: accounts.token_in(mail) for mail in accounts.mails(MailKind.VERIFY_EMAIL)
    }
    assert len(tokens) == 3
    assert verify(accounts, tokens[made["two"].id]).status_code == 204
    assert set(users(accounts)) == {"two"}
    late = verify(accounts, tokens[made["one"].id])
    assert (late.status_code, late.json()["code"]) == (422, "link_invalid")
    twice = verify(accounts, tokens[made["two"].id])
    assert (twice.status_code, twice.json()["code"]) == (410, "link_used")


def test_of_many_that_verify_one_address_at_once_one_keeps_it(accounts: Accounts) -> None:
    for each in range(6):
        register(accounts, f"claim{each}", "mia@example.com")
    tokens = [accounts.token_in(mail) for mail in accounts.mails(MailKind.VERIFY_EMAIL)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda token: verify(accounts, token), tokens))
    assert sorted(answer.status_code for answer in answers) == [204, 422, 422, 422, 422, 422]
    [left] = users(accounts).values()
    assert left.email_verified_at is not None


def test_an_account_registered_after_an_address_was_verified_never_gets_it(
    accounts: Accounts,
) -> None:
    register(accounts, "early", "mia@example.com")
    [mail] = accounts.mails(MailKind.VERIFY_EMAIL)
    accounts.make(handle="owner", email="mia@example.com")
    answer = verify(accounts, accounts.token_in(mail))
    assert (answer.status_code, answer.json()["code"]) == (410, "link_used")
    assert users(accounts)["early"].email_verified_at is None
    assert users(accounts)["owner"].email_verified_at is not None


def test_a_link_that_is_over_or_forged_verifies_nothing(accounts: Accounts, engine: Engine) -> None:
    register(accounts, "mia", "mia@example.com")
    [mail] = accounts.mails(MailKind.VERIFY_EMAIL)
    token = accounts.token_in(mail)
    for forged in ("", "x", token[:-1], token + "x", f"{mail.id}.é"):
        assert verify(accounts, forged).json()["code"] == "link_invalid"
    with transaction(engine) as session:
        session.execute(update(Mail).values(expires_at=datetime.now(UTC)))
    answer = verify(accounts, token)
    assert (answer.status_code, answer.json()["code"]) == (410, "link_expired")
    assert users(accounts)["mia"].email_verified_at is None


def test_a_link_is_sent_again_to_who_waits_for_it_and_once_a_minute(
    accounts: Accounts, engine: Engine
) -> None:
    register(accounts, "mia", "mia@example.com")
    accounts.make(email="done@example.com")
    addresses = ("mia@example.com", "done@example.com", "nobody@example.com")
    answers = {resend(accounts, address).content for address in addresses}
    assert answers == {b'{"status":"mail_sent"}'}
    assert len(accounts.mails(MailKind.VERIFY_EMAIL)) == 1, "the first one is younger than a minute"
    with transaction(engine) as session:
        session.execute(update(Mail).values(created_at=datetime.now(UTC) - timedelta(minutes=2)))
    for address in (*addresses, "MIA@example.com"):
        assert resend(accounts, address).status_code == 202
    _, again = accounts.mails(MailKind.VERIFY_EMAIL)
    assert verify(accounts, accounts.token_in(again)).status_code == 204
    assert accounts.mails(MailKind.ALREADY_REGISTERED) == []
