"""Whatever people send to prove who they are, and whatever they are given, is in no log."""

from __future__ import annotations

import pytest

from domain.auth import MailKind
from tests.e2e.api.auth.accounts import AUTH, OTHER_PASSWORD, PASSWORD, Accounts

EMAIL = "mia.secret@example.com"


def test_from_registration_to_a_new_password_nothing_secret_is_logged(
    accounts: Accounts, capfd: pytest.CaptureFixture[str]
) -> None:
    client = accounts.api.client()
    wish = {"handle": "mia", "email": EMAIL, "password": PASSWORD}
    assert accounts.ask("/register", wish).status_code == 202
    verify = accounts.token_in(accounts.mails(MailKind.VERIFY_EMAIL)[0])
    assert client.post(f"{AUTH}/verify-email", json={"token": verify}).status_code == 204
    assert accounts.ask("/verify-email/resend", {"email": EMAIL}).status_code == 202
    wrong = {"name": EMAIL, "password": "wrong horse, wrong battery"}
    assert client.post(f"{AUTH}/login", json=wrong).status_code == 401
    assert client.post(f"{AUTH}/login", json=wrong | {"more": PASSWORD}).status_code == 422
    begun = client.post(f"{AUTH}/login", json=wrong | {"password": PASSWORD}).json()
    refresh = {"refresh_token": begun["refresh_token"]}
    next_one = client.post(f"{AUTH}/refresh", json=refresh).json()
    assert accounts.ask("/password/forgot", {"email": EMAIL}).status_code == 202
    reset = accounts.token_in(accounts.mails(MailKind.RESET_PASSWORD)[0])
    body = {"token": reset, "new_password": OTHER_PASSWORD}
    assert accounts.ask("/password/reset", body).status_code == 204
    logged = "".join(capfd.readouterr())
    assert logged.count("/api/v1/auth/") >= 8, "the log was read"
    assert "sign_in_refused" in logged
    tokens = (begun["access_token"], begun["refresh_token"], next_one["refresh_token"])
    for secret in (EMAIL, PASSWORD, OTHER_PASSWORD, wrong["password"], verify, reset, *tokens):
        assert secret not in logged
        assert secret not in "".join(str(entry.detail) for entry in accounts.audited())
