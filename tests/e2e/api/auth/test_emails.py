"""Moving an account to another e-mail address."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx2 as httpx
import pytest
from sqlalchemy import Engine, update

from domain.auth import MailKind
from infra.db import transaction
from infra.models import AuthSession, Mail, User
from tests.e2e.api.auth.accounts import AUTH, OTHER_PASSWORD, Accounts

NEW = "mia@elsewhere.example"
SESSIONS = f"{AUTH}/sessions"


def change(client: httpx.Client, email: str = NEW) -> httpx.Response:
    return client.post(f"{AUTH}/email/change", json={"email": email})


def confirm(accounts: Accounts, token: str) -> httpx.Response:
    return accounts.api.client().post(f"{AUTH}/email/confirm", json={"token": token})


def asked(accounts: Accounts, user: User, email: str = NEW) -> str:
    """The token that was mailed to the new address."""
    client, _ = accounts.signed_in(user)
    assert change(client, email).status_code == 202
    [*_, mail] = accounts.mails(MailKind.CHANGE_EMAIL)
    assert (mail.user_id, mail.address) == (user.id, email)
    return accounts.token_in(mail)


def test_the_old_address_counts_until_the_new_one_is_confirmed(accounts: Accounts) -> None:
    user = accounts.make()
    token = asked(accounts, user)
    assert accounts.read(user).email == user.email
    assert confirm(accounts, token).status_code == 204
    moved = accounts.read(user)
    assert (moved.email, moved.email_verified_at is not None) == (NEW, True)
    assert moved.email_verified_at != user.email_verified_at
    notices = accounts.mails(MailKind.SECURITY_NOTICE)
    assert [(each.address, each.facts["event"]) for each in notices] == [
        (user.email, "email_change_asked"),
        (user.email, "email_changed"),
    ]
    acts = [each.action for each in accounts.audited()]
    assert acts[-2:] == ["email.change_asked", "email.changed"]
    assert confirm(accounts, token).json()["code"] == "link_used"


def test_links_to_the_old_address_count_no_more(accounts: Accounts) -> None:
    user = accounts.make()
    accounts.ask("/password/forgot", {"email": user.email})
    stale = accounts.token_in(accounts.mails(MailKind.RESET_PASSWORD)[-1])
    assert confirm(accounts, asked(accounts, user)).status_code == 204
    answer = accounts.ask("/password/reset", {"token": stale, "new_password": OTHER_PASSWORD})
    assert answer.json()["code"] == "link_used"


def test_moving_ends_every_session_but_the_one_that_asked(accounts: Accounts) -> None:
    user = accounts.make()
    other, _ = accounts.signed_in(user)
    asking, _ = accounts.signed_in(user)
    assert change(asking).status_code == 202
    [mail] = accounts.mails(MailKind.CHANGE_EMAIL)
    assert confirm(accounts, accounts.token_in(mail)).status_code == 204
    assert other.get(SESSIONS).json()["code"] == "session_ended"
    [left] = asking.get(SESSIONS).json()["data"]
    assert left["is_current"]
    [entry] = [each for each in accounts.audited() if each.action == "email.changed"]
    assert entry.detail["sessions"] == "1"


@pytest.mark.parametrize("way", ["new password", "everywhere", "that device"])
def test_who_shuts_a_thief_out_voids_the_link_that_the_thief_asked_for(
    accounts: Accounts, way: str
) -> None:
    user = accounts.make()
    thief, stolen = accounts.signed_in(user)
    assert change(thief, "thief@elsewhere.example").status_code == 202
    [mail] = accounts.mails(MailKind.CHANGE_EMAIL)
    owner, _ = accounts.signed_in(user)
    if way == "new password":
        accounts.ask("/password/forgot", {"email": user.email})
        link = accounts.token_in(accounts.mails(MailKind.RESET_PASSWORD)[-1])
        done = accounts.ask("/password/reset", {"token": link, "new_password": OTHER_PASSWORD})
    elif way == "everywhere":
        done = owner.post(f"{AUTH}/logout-all")
    else:
        done = owner.delete(f"{SESSIONS}/{stolen['session_id']}")
    assert done.status_code == 204
    late = confirm(accounts, accounts.token_in(mail))
    assert (late.status_code, late.json()["code"]) == (410, "link_expired")
    assert accounts.read(user).email == user.email


def test_of_several_wishes_the_newest_counts(accounts: Accounts) -> None:
    user = accounts.make()
    first = asked(accounts, user, "first@elsewhere.example")
    second = asked(accounts, user, "second@elsewhere.example")
    assert confirm(accounts, first).json()["code"] == "link_used"
    assert confirm(accounts, second).status_code == 204


def test_a_known_address_is_answered_alike_and_its_owner_is_told(accounts: Accounts) -> None:
    owner, user = accounts.make(email=NEW), accounts.make()
    client, _ = accounts.signed_in(user)
    known, unknown = change(client), change(client, "nobody@elsewhere.example")
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    [told] = accounts.mails(MailKind.ALREADY_REGISTERED)
    assert (told.user_id, told.address) == (owner.id, NEW)


def test_an_address_that_others_only_named_can_be_taken(accounts: Accounts) -> None:
    squatter = accounts.make(email=NEW, email_verified_at=None)
    user = accounts.make()
    assert confirm(accounts, asked(accounts, user)).status_code == 204
    with transaction(accounts.engine) as session:
        assert session.get(User, squatter.id) is None


def test_of_two_who_were_mailed_at_one_address_one_gets_it(accounts: Accounts) -> None:
    users = [accounts.make(), accounts.make()]
    tokens = [asked(accounts, user) for user in users]
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda token: confirm(accounts, token), tokens))
    assert sorted(each.status_code for each in answers) == [204, 410]
    assert [accounts.read(user).email for user in users].count(NEW) == 1


@pytest.mark.parametrize("which", ["forged", "another kind", "expired"])
def test_a_link_that_does_not_count(accounts: Accounts, engine: Engine, which: str) -> None:
    user = accounts.make()
    token = asked(accounts, user)
    if which == "forged":
        token = f"{token[:-1]}{'A' if token[-1] != 'A' else 'B'}"
    elif which == "another kind":
        accounts.ask("/password/forgot", {"email": user.email})
        token = accounts.token_in(accounts.mails(MailKind.RESET_PASSWORD)[-1])
    else:
        with transaction(engine) as session:
            session.execute(update(Mail).values(expires_at=datetime.now(UTC)))
    answer = confirm(accounts, token)
    assert answer.json()["code"] == ("link_expired" if which == "expired" else "link_invalid")
    assert accounts.read(user).email == user.email


def test_it_takes_a_fresh_proof_and_another_address(accounts: Accounts, engine: Engine) -> None:
    user = accounts.make()
    client, begun = accounts.signed_in(user)
    assert change(client, user.email.upper()).json()["code"] == "email_unchanged"  # type: ignore[union-attr]
    with transaction(engine) as session:
        row = session.get_one(AuthSession, begun["session_id"])
        row.proved_at = datetime.now(UTC) - timedelta(days=1)
    assert change(client).json()["code"] == "step_up_required"
    assert accounts.mails(MailKind.CHANGE_EMAIL) == []
