"""Proving anew who holds a session, and what staff need."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest

from tests.e2e.api.auth.accounts import PASSWORD, Accounts
from tests.e2e.api.auth.owners import WRONG_CODE, Owner, Owners, code_of
from tests.harness.authenticator import Authenticator


def by_passkey(owner: Owner, device: Authenticator, **wrong: Any) -> httpx.Response:
    begun = owner.post("/step-up/options").json()
    body = {
        "challenge_id": begun["challenge_id"],
        "passkey": device.get(begun["public_key"], **wrong),
    }
    return owner.post("/step-up", body)


def test_the_password_proves_where_there_is_nothing_better(owners: Owners) -> None:
    owner = owners.make()
    owner.let_proof_grow_old()
    assert code_of(owner.post("/totp")) == (403, "step_up_required")
    wrong = owner.post("/step-up", {"password": "not the password"})
    assert code_of(wrong) == (403, "proof_refused")
    assert code_of(owner.post("/totp")) == (403, "step_up_required")
    answer = owner.post("/step-up", {"password": PASSWORD})
    assert answer.status_code == 200
    assert answer.json()["has_second_factor"] is False
    fresh = datetime.fromisoformat(answer.json()["fresh_until"]) - datetime.now(UTC)
    assert timedelta(minutes=9) < fresh <= timedelta(minutes=10)
    assert owner.post("/totp").status_code == 200
    row = owner.session()
    assert (row.second_factor_at, row.methods) == (None, ["pwd"])
    assert owner.actions() == ["step_up.refused", "session.stepped_up"]


def test_a_second_factor_is_asked_for_where_there_is_one(owners: Owners) -> None:
    owner = owners.make()
    phone, confirmed = owner.set_up_codes()
    owner.let_proof_grow_old()
    refused = owner.post("/step-up", {"password": PASSWORD})
    assert code_of(refused) == (403, "second_factor_required")
    assert refused.json()["facts"] == {"methods": "totp recovery_code"}
    code = phone.code()
    for proof, status in (
        ({"code": WRONG_CODE}, 403),
        ({"code": code}, 200),
        ({"code": code}, 403),
        ({"recovery_code": "nothing"}, 403),
        ({"recovery_code": confirmed["recovery_codes"][0]}, 200),
        ({"recovery_code": confirmed["recovery_codes"][0]}, 403),
    ):
        assert owner.post("/step-up", proof).status_code == status, proof
    row = owner.session()
    assert row.methods == ["pwd", "otp", "mfa"]
    assert row.second_factor_at == row.proved_at
    assert datetime.now(UTC) - row.proved_at < timedelta(minutes=1)


def test_a_passkey_steps_up(owners: Owners) -> None:
    owner = owners.make()
    assert code_of(owner.post("/step-up/options")) == (409, "no_passkey")
    device = owner.with_passkey(verifies_user=False)
    owner.let_proof_grow_old()
    assert code_of(by_passkey(owner, device, origin="https://evil.example")) == (
        403,
        "proof_refused",
    )
    assert by_passkey(owner, device).status_code == 200
    assert owner.session().methods == ["pwd", "hwk", "mfa"]


def test_a_step_belongs_to_the_session_that_began_it(owners: Owners) -> None:
    owner, other = owners.make(), owners.make()
    device = owner.with_passkey()
    begun = owner.post("/step-up/options").json()
    body = {
        "challenge_id": begun["challenge_id"],
        "passkey": device.get(begun["public_key"]),
    }
    assert code_of(other.post("/step-up", body)) == (410, "challenge_over")
    assert owner.post("/step-up", body).status_code == 200
    assert code_of(owner.post("/step-up", body)) == (410, "challenge_over")


def test_a_token_without_a_session_has_nothing_to_step_up(
    owners: Owners, accounts: Accounts
) -> None:
    owner = owners.make()
    owner.client = accounts.api.client(owner.user)
    for path, body in (("/step-up", {"password": PASSWORD}), ("/step-up/options", None)):
        assert code_of(owner.post(path, body)) == (403, "token_without_session")
    assert owner.post("/totp").status_code == 200, "it proves itself"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"password": "a", "code": "123456"},
        {"code": "12345"},
        {"code": "١٢٣٤٥٦"},
        {"code": None},
        {"recovery_code": "x" * 65},
        {"challenge_id": "0192f0c1-e3f8-7b0d-9a4f-5f5d8e1c2b3a", "code": "123456"},
        {"code": "123456", "more": 1},
    ],
)
def test_one_proof_in_its_own_form_and_no_more(owners: Owners, body: dict[str, Any]) -> None:
    answer = owners.make().post("/step-up", body)
    assert code_of(answer) == (422, "invalid_request")
