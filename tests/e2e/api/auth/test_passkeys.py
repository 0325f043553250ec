"""Passkeys against the running API: made, used, copied, renamed, removed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest
from sqlalchemy import select, update

from domain.auth import MailKind
from infra.db import transaction
from infra.ids import new_id
from infra.models import AuthChallenge, Passkey, User
from tests.e2e.api.auth.accounts import AUTH, Accounts
from tests.e2e.api.auth.owners import Owner, Owners, code_of
from tests.harness.authenticator import EDDSA, ES256, Authenticator, encode

SIGN_IN = f"{AUTH}/passkeys/sign-in"


def options(accounts: Accounts) -> dict[str, Any]:
    begun: dict[str, Any] = accounts.api.client().post(f"{SIGN_IN}/options").json()
    return begun


def sign_in(
    accounts: Accounts,
    device: Authenticator,
    *,
    begun: dict[str, Any] | None = None,
    **wrong: Any,
) -> httpx.Response:
    begun = begun or options(accounts)
    credential = device.get(begun["public_key"], **wrong)
    body = {"challenge_id": begun["challenge_id"], "credential": credential}
    return accounts.api.client().post(SIGN_IN, json=body)


def answer_with(owner: Owner, device: Authenticator, **wrong: Any) -> httpx.Response:
    """Sign in with the password, and then by this passkey."""
    challenge_id = owner.challenge()
    begun = owner.accounts.api.client().post(
        f"{AUTH}/login/second-factor/options", json={"challenge_id": challenge_id}
    )
    assert begun.status_code == 200, begun.text
    return owner.answer(challenge_id, passkey=device.get(begun.json()["public_key"], **wrong))


@pytest.mark.parametrize("algorithm", [ES256, EDDSA])
def test_a_passkey_signs_in_alone_and_counts_as_both_factors(
    owners: Owners, accounts: Accounts, algorithm: int
) -> None:
    owner = owners.make()
    device = Authenticator(algorithm=algorithm)
    added = owner.add_passkey(device, name="  Phone ")
    assert added.status_code == 201
    body = added.json()
    assert body["passkey"]["name"] == "Phone"
    assert len(body["recovery_codes"]) == 10, "it is the first second factor"
    answer = sign_in(accounts, device)
    assert answer.status_code == 200
    begun = owner.session(answer.json()["session_id"])
    assert (begun.user_id, begun.methods) == (owner.user.id, ["hwk", "mfa"])
    assert begun.second_factor_at is not None
    [listed] = owner.client.get(f"{AUTH}/passkeys").json()["data"]
    assert listed["transports"] == ["internal"]
    assert listed["last_used_at"] is not None
    assert owner.actions() == ["passkey.added"]


def test_what_is_asked_of_a_device_names_nobody(owners: Owners, accounts: Accounts) -> None:
    before = options(accounts)["public_key"]
    owners.make().with_passkey()
    after = options(accounts)["public_key"]
    assert before.pop("challenge") != after.pop("challenge")
    assert before == after
    assert after["allowCredentials"] == []
    assert after["userVerification"] == "required"


REFUSED: dict[str, dict[str, Any]] = {
    "another site's page": {"origin": "https://evil.example"},
    "another relying party": {"rp_id": "evil.example"},
    "another challenge": {"challenge": encode(bytes(32))},
    "nobody verified": {"verified": False},
    "another user": {"user_handle": bytes(16)},
    "a changed signature": {"signature": b"0E"},
}


@pytest.mark.parametrize("wrong", REFUSED.values(), ids=REFUSED)
def test_a_wrong_assertion_signs_nobody_in_and_tells_nothing(
    owners: Owners, accounts: Accounts, wrong: dict[str, Any]
) -> None:
    owner = owners.make()
    device = owner.with_passkey()
    known = sign_in(accounts, device, **wrong)
    assert code_of(known) == (401, "passkey_refused")
    unknown = device.clone()
    unknown.credentials[0].id = bytes(32)
    same = sign_in(accounts, unknown).json() | {"request_id": known.json()["request_id"]}
    assert same == known.json()
    assert sign_in(accounts, device).status_code == 200


def test_a_challenge_is_taken_once(owners: Owners, accounts: Accounts) -> None:
    owner = owners.make()
    device = owner.with_passkey()
    begun = options(accounts)
    credential = device.get(begun["public_key"])
    body = {"challenge_id": begun["challenge_id"], "credential": credential}

    def send(_: int) -> httpx.Response:
        return accounts.api.client().post(SIGN_IN, json=body)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))
    assert sorted(each.status_code for each in answers) == [200] + [410] * 7
    assert code_of(send(0)) == (410, "challenge_over")


def test_a_refused_answer_uses_its_challenge_up(owners: Owners, accounts: Accounts) -> None:
    device = owners.make().with_passkey()
    begun = options(accounts)
    wrong = sign_in(accounts, device, begun=begun, origin="https://evil.example")
    assert wrong.status_code == 401
    assert code_of(sign_in(accounts, device, begun=begun)) == (410, "challenge_over")


def test_an_old_challenge_is_over(owners: Owners, accounts: Accounts) -> None:
    device = owners.make().with_passkey()
    begun = options(accounts)
    with transaction(accounts.engine) as session:
        past = datetime.now(UTC) - timedelta(seconds=1)
        session.execute(update(AuthChallenge).values(expires_at=past))
    assert code_of(sign_in(accounts, device, begun=begun)) == (410, "challenge_over")


def test_a_challenge_for_one_purpose_serves_no_other(owners: Owners, accounts: Accounts) -> None:
    owner = owners.make()
    device = owner.with_passkey()
    registration = owner.post("/passkeys/options").json()
    step_up = owner.post("/step-up/options").json()
    for begun in (registration, step_up):
        wanted = {**options(accounts)["public_key"], "challenge": begun["public_key"]["challenge"]}
        other = sign_in(accounts, device, begun={**begun, "public_key": wanted})
        assert code_of(other) == (410, "challenge_over")


def test_a_copy_is_found_out_by_its_counter_and_told_of(owners: Owners, accounts: Accounts) -> None:
    owner = owners.make()
    device = owner.with_passkey()
    copy = device.clone()
    assert sign_in(accounts, device).status_code == 200
    assert code_of(sign_in(accounts, copy)) == (401, "passkey_refused")
    assert owner.actions() == ["passkey.added", "passkey.copied"]
    events = [mail.facts["event"] for mail in accounts.mails(MailKind.SECURITY_NOTICE)]
    assert events == ["passkey_added", "passkey_copied"]
    assert sign_in(accounts, device).status_code == 200, "the one that is ahead goes on"


def test_a_wrong_signature_can_not_accuse_a_passkey_of_being_copied(
    owners: Owners, accounts: Accounts
) -> None:
    owner = owners.make()
    device = owner.with_passkey()
    sign_in(accounts, device)
    forged = sign_in(accounts, device, sign_count=0, signature=b"forged")
    assert forged.status_code == 401
    assert owner.actions() == ["passkey.added"]


def test_passkeys_that_do_not_count_go_on_signing_in(owners: Owners, accounts: Accounts) -> None:
    device = owners.make().with_passkey(counts=False)
    for _ in range(3):
        assert sign_in(accounts, device).status_code == 200


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"suspended_at": datetime(2026, 1, 1, tzinfo=UTC)}, (403, "suspended")),
        ({"email_verified_at": None}, (403, "email_unverified")),
        ({"deleted_at": datetime(2026, 1, 1, tzinfo=UTC)}, (401, "passkey_refused")),
    ],
)
def test_a_passkey_of_a_closed_account_does_not_sign_in(
    owners: Owners, accounts: Accounts, columns: dict[str, Any], expected: tuple[int, str]
) -> None:
    owner = owners.make()
    device = owner.with_passkey()
    with transaction(accounts.engine) as session:
        session.execute(update(User).where(User.id == owner.user.id).values(**columns))
    assert code_of(sign_in(accounts, device)) == expected


def test_a_passkey_may_follow_a_password(owners: Owners) -> None:
    owner = owners.make()
    device = owner.with_passkey(verifies_user=False)
    answer = answer_with(owner, device)
    assert answer.status_code == 200
    assert owner.session(answer.json()["session_id"]).methods == ["pwd", "hwk", "mfa"]
    refused = answer_with(owner, device, origin="https://evil.example")
    assert code_of(refused) == (401, "second_factor_wrong")


def test_somebody_elses_passkey_is_no_second_factor(owners: Owners) -> None:
    mine, theirs = owners.make(), owners.make()
    mine.with_passkey()
    device = theirs.with_passkey()
    challenge_id = mine.challenge()
    begun = mine.accounts.api.client().post(
        f"{AUTH}/login/second-factor/options", json={"challenge_id": challenge_id}
    )
    wanted = {**begun.json()["public_key"], "allowCredentials": []}
    answer = mine.answer(challenge_id, passkey=device.get(wanted))
    assert code_of(answer) == (401, "second_factor_wrong")


WRONG_REGISTRATIONS: dict[str, dict[str, Any]] = {
    "another site's page": {"origin": "https://evil.example"},
    "another relying party": {"rp_id": "evil.example"},
    "another challenge": {"challenge": encode(bytes(32))},
    "no key": {"public_key": {}},
}


@pytest.mark.parametrize("wrong", WRONG_REGISTRATIONS.values(), ids=WRONG_REGISTRATIONS)
def test_a_wrong_registration_adds_nothing(owners: Owners, wrong: dict[str, Any]) -> None:
    owner = owners.make()
    assert code_of(owner.add_passkey(Authenticator(), **wrong)) == (422, "passkey_refused")
    assert owner.factors()["passkeys"] == 0
    assert owner.actions() == []


def test_a_registration_belongs_to_the_session_that_began_it(
    owners: Owners, accounts: Accounts
) -> None:
    owner = owners.make()
    begun = owner.post("/passkeys/options").json()
    body = {
        "challenge_id": begun["challenge_id"],
        "name": "Phone",
        "credential": Authenticator().create(begun["public_key"]),
    }
    elsewhere, _ = accounts.signed_in(owner.user)
    for other in (elsewhere, owners.make().client):
        answer = other.post(f"{AUTH}/passkeys", json=body)
        assert code_of(answer) == (410, "challenge_over")
    assert owner.post("/passkeys", body).status_code == 201
    assert code_of(owner.post("/passkeys", body)) == (410, "challenge_over")


def test_a_passkey_is_registered_once(owners: Owners) -> None:
    owner, other = owners.make(), owners.make()
    device = owner.with_passkey()
    known = device.credentials[0].id
    offered = owner.post("/passkeys/options").json()["public_key"]["excludeCredentials"]
    assert [each["id"] for each in offered] == [encode(known)]
    for each in (owner, other):
        again = each.add_passkey(Authenticator(), credential_id=known)
        assert code_of(again) == (409, "passkey_known")


def test_passkeys_are_renamed_and_removed_by_their_owner_only(owners: Owners) -> None:
    owner, other = owners.make(), owners.make()
    owner.with_passkey()
    [listed] = owner.client.get(f"{AUTH}/passkeys").json()["data"]
    url = f"/passkeys/{listed['id']}"
    renamed = owner.client.patch(f"{AUTH}{url}", json={"name": "Blue key"})
    assert renamed.json() == listed | {"name": "Blue key"}
    theirs = other.client.patch(f"{AUTH}{url}", json={"name": "Mine"})
    assert code_of(theirs) == (404, "passkey_not_found")
    assert code_of(other.delete(url)) == (404, "passkey_not_found")
    assert code_of(owner.delete(f"/passkeys/{new_id()}")) == (404, "passkey_not_found")
    assert owner.delete(url).status_code == 204
    assert owner.factors()["passkeys"] == 0
    assert owner.accounts.login(owner.user).json()["status"] == "signed_in"
    assert owner.actions() == ["passkey.added", "passkey.removed"]


def test_the_last_way_in_stays_even_if_both_are_removed_at_once(
    owners: Owners, accounts: Accounts
) -> None:
    owner = owners.make()
    owner.with_passkey()
    owner.with_passkey()
    with transaction(accounts.engine) as session:
        session.execute(update(User).values(password_hash=None))
        ids = session.scalars(select(Passkey.id)).all()
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda each: owner.delete(f"/passkeys/{each}"), ids))
    assert sorted(each.status_code for each in answers) == [204, 409]
    [refused] = [each for each in answers if each.status_code == 409]
    assert code_of(refused) == (409, "last_way_in")


def test_signing_in_while_passkeys_come_and_go_never_gets_stuck(
    owners: Owners, accounts: Accounts
) -> None:
    """Rows are locked in one order everywhere; Postgres would end one of two that wait for each
    other, as a 503."""
    owner = owners.make()
    kept = owner.with_passkey()

    def come_and_go(_: int) -> list[int]:
        added = owner.add_passkey(Authenticator())
        removed = owner.delete(f"/passkeys/{added.json()['passkey']['id']}")
        return [added.status_code, removed.status_code]

    def use(_: int) -> list[int]:
        # Counters of one device that is used everywhere at once come in any order.
        return [answer_with(owner, kept).status_code, sign_in(accounts, kept).status_code]

    with ThreadPoolExecutor(6) as pool:
        changed, used = pool.map(come_and_go, range(8)), pool.map(use, range(16))
        assert {status for each in changed for status in each} == {201, 204}
        assert {status for each in used for status in each} <= {200, 401}
