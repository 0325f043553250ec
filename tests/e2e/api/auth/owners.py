"""People with second factors: their phone's codes, their devices' passkeys."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
import pytest
from sqlalchemy import update

from domain.accounts import Role
from infra.db import transaction
from infra.models import AuthSession, TotpSecret, User
from infra.totp import code_at
from tests.e2e.api.auth.accounts import AUTH, Accounts
from tests.harness.authenticator import Authenticator

WRONG_CODE = "000000"


@dataclass
class Phone:
    """An authenticator app."""

    accounts: Accounts
    user: User
    secret: bytes

    def code(self) -> str:
        """Of now, as if the last one that was taken had been an hour ago."""
        with transaction(self.accounts.engine) as session:
            session.execute(
                update(TotpSecret).where(TotpSecret.user_id == self.user.id).values(last_step=None)
            )
        return code_at(self.secret, datetime.now(UTC))


@dataclass
class Owner:
    """Of an account, with a client of a session that was begun by the password alone."""

    accounts: Accounts
    user: User
    client: httpx.Client
    session_id: str

    def post(self, path: str, body: object = None) -> httpx.Response:
        return self.client.post(f"{AUTH}{path}", json=body)

    def delete(self, path: str) -> httpx.Response:
        return self.client.delete(f"{AUTH}{path}")

    def factors(self) -> dict[str, Any]:
        answer = self.client.get(f"{AUTH}/factors")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def set_up_codes(self) -> tuple[Phone, dict[str, Any]]:
        """Through the API; the phone, and what the confirmation answered."""
        begun = self.post("/totp").json()
        phone = Phone(self.accounts, self.user, base64.b32decode(begun["secret"]))
        answer = self.post("/totp/confirm", {"code": phone.code()})
        assert answer.status_code == 200, answer.text
        return phone, answer.json()

    def add_passkey(
        self, device: Authenticator, *, name: str = "Phone", **wrong: Any
    ) -> httpx.Response:
        begun = self.post("/passkeys/options").json()
        made = device.create(begun["public_key"], **wrong)
        return self.post(
            "/passkeys",
            {"challenge_id": begun["challenge_id"], "name": name, "credential": made},
        )

    def with_passkey(self, **device: Any) -> Authenticator:
        made = Authenticator(**device)
        answer = self.add_passkey(made)
        assert answer.status_code == 201, answer.text
        return made

    def challenge(self) -> str:
        """Of a new sign-in by the password, which asks for a second factor."""
        answer = self.accounts.login(self.user)
        assert answer.json()["status"] == "second_factor_required", answer.text
        challenge_id: str = answer.json()["challenge_id"]
        return challenge_id

    def answer(self, challenge_id: str, **proof: Any) -> httpx.Response:
        """To that challenge, from somewhere else."""
        return self.accounts.api.client().post(
            f"{AUTH}/login/second-factor", json={"challenge_id": challenge_id, **proof}
        )

    def session(self, session_id: str | None = None) -> AuthSession:
        with transaction(self.accounts.engine) as session:
            return session.get_one(AuthSession, session_id or self.session_id)

    def let_proof_grow_old(self) -> None:
        with transaction(self.accounts.engine) as session:
            session.execute(update(AuthSession).values(proved_at=datetime(2026, 1, 1, tzinfo=UTC)))

    def actions(self) -> list[str]:
        """Of the audit log, less the sign-ins."""
        noted = [entry.action for entry in self.accounts.audited()]
        return [action for action in noted if action != "session.begun"]


@dataclass
class Owners:
    accounts: Accounts

    def make(self, *, role: Role = Role.FAN, **columns: Any) -> Owner:
        user = self.accounts.make(role=role, **columns)
        client, begun = self.accounts.signed_in(user)
        return Owner(self.accounts, user, client, begun["session_id"])


@pytest.fixture
def owners(accounts: Accounts) -> Owners:
    return Owners(accounts)


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]
