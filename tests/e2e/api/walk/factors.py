"""Rows of second factors and passkeys."""

from __future__ import annotations

import os
from typing import Any

import httpx2 as httpx

from api.schemas import EXAMPLE_ID
from infra.db import transaction
from infra.ids import new_id
from infra.models import Passkey
from tests.e2e.api.walk.auth import AUTH, post
from tests.e2e.api.walk.rows import ABSENT, SECRET_TEXT, SHOWN, Case, Outcome, Row, Stage, each

PASSKEYS = f"{AUTH}/passkeys"


def owners_passkey(stage: Stage) -> Passkey:
    """One of two: without a password, the last one stays."""
    made = [
        Passkey(
            id=new_id(),
            user_id=stage.owner.id,
            credential_id=os.urandom(16),
            public_key=b"-",
            sign_count=0,
            name=SECRET_TEXT,
        )
        for _ in range(2)
    ]
    with transaction(stage.engine) as session:
        session.add_all(made)
    return made[0]


def listed(answer: httpx.Response, subject: Passkey) -> Outcome:
    if answer.status_code != 200:
        return answer.status_code
    return SHOWN if subject.id in answer.text else ABSENT


def rename(case: Case[Passkey]) -> httpx.Response:
    return case.client.patch(f"{PASSKEYS}/{case.subject.id}", json={"name": "mine"})


FORGED: dict[str, Any] = {
    "id": "AAAA",
    "type": "public-key",
    "response": {
        "clientDataJSON": "AAAA",
        "attestationObject": "AAAA",
        "authenticatorData": "AAAA",
        "signature": "AAAA",
    },
}
CHALLENGE = {"challenge_id": EXAMPLE_ID}
SIGNED_IN = each(200, anonymous=401)
ROWS: list[Row[Any]] = [
    Row("getSecondFactorOptions", post("/login/second-factor/options", CHALLENGE), each(410)),
    Row(
        "answerSecondFactor",
        post("/login/second-factor", {**CHALLENGE, "code": "123456"}),
        each(410),
    ),
    Row("getPasskeySignInOptions", post("/passkeys/sign-in/options"), each(200)),
    Row(
        "signInWithPasskey",
        post("/passkeys/sign-in", {**CHALLENGE, "credential": FORGED}),
        each(410),
    ),
    Row("getFactors", lambda case: case.client.get(f"{AUTH}/factors"), SIGNED_IN),
    Row("getStepUpOptions", post("/step-up/options"), each(409, anonymous=401)),
    Row("stepUp", post("/step-up", {"password": "wrong"}), each(403, anonymous=401)),
    Row("beginTotp", post("/totp"), SIGNED_IN),
    Row("confirmTotp", post("/totp/confirm", {"code": "123456"}), each(409, anonymous=401)),
    Row(
        "removeTotp",
        lambda case: case.client.delete(f"{AUTH}/totp"),
        each(404, anonymous=401),
    ),
    Row("renewRecoveryCodes", post("/recovery-codes"), each(409, anonymous=401)),
    Row("getPasskeyOptions", post("/passkeys/options"), SIGNED_IN),
    Row(
        "addPasskey",
        post("/passkeys", {**CHALLENGE, "name": "Phone", "credential": FORGED}),
        each(410, anonymous=401),
    ),
    Row(
        "listPasskeys",
        lambda case: case.client.get(PASSKEYS),
        each(ABSENT, anonymous=401, owner=SHOWN),
        owners_passkey,
        outcome=listed,
    ),
    Row("renamePasskey", rename, each(404, anonymous=401, owner=200), owners_passkey),
    Row(
        "removePasskey",
        lambda case: case.client.delete(f"{PASSKEYS}/{case.subject.id}"),
        each(404, anonymous=401, owner=204),
        owners_passkey,
        changes=True,
    ),
]
