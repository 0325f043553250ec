"""The published keys: a stranger can verify tokens with them, also while they are rotated."""

from __future__ import annotations

import base64
import os
from typing import Any

import httpx2 as httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from pydantic import SecretStr

from tests.e2e.api.auth.accounts import AUTH, Accounts
from tests.harness.api import RunningApi, StartApi

PATHS = ("/.well-known/jwks.json", f"{AUTH}/jwks")


def secret() -> SecretStr:
    return SecretStr(base64.b64encode(os.urandom(32)).decode())


def key_ids(api: RunningApi) -> list[str]:
    return [key["kid"] for key in api.client().get(PATHS[0]).json()["keys"]]


def may_read(api: RunningApi, token: str) -> bool:
    answer: httpx.Response = api.client(token=token).get(f"{AUTH}/sessions")
    return answer.status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_a_stranger_verifies_a_token_by_the_published_keys(accounts: Accounts, path: str) -> None:
    user = accounts.make()
    _, begun = accounts.signed_in(user)
    answer = accounts.api.client().get(path)
    assert answer.headers["content-type"] == "application/jwk-set+json"
    assert answer.headers["cache-control"] == "public, max-age=300"
    for key in answer.json()["keys"]:
        assert set(key) == {"kty", "crv", "x", "kid", "use", "alg"}, "no private half"
    keys: Any = KeySet.import_key_set(answer.json())
    claims = jwt.decode(begun["access_token"], keys, algorithms=["Ed25519"]).claims
    assert (claims["sub"], claims["sid"]) == (user.id, begun["session_id"])


def test_keys_that_are_as_the_client_has_them_are_not_sent_again(api: RunningApi) -> None:
    etag = api.client().get(PATHS[0]).headers["etag"]
    again = api.client().get(PATHS[0], headers={"if-none-match": f'W/"x", {etag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert "max-age" in again.headers["cache-control"]


def test_keys_are_rotated_without_signing_anybody_out(
    accounts: Accounts, start_api: StartApi
) -> None:
    user, old, new = accounts.make(), secret(), secret()

    def begun(api: RunningApi) -> str:
        accounts.api = api
        token: str = accounts.signed_in(user)[1]["access_token"]
        return token

    before = start_api(token_private_keys={"old": old})
    published = start_api(token_private_keys={"old": old, "new": new})
    turned = start_api(token_private_keys={"new": new, "old": old})
    after = start_api(token_private_keys={"new": new})
    assert [key_ids(each) for each in (before, published, turned, after)] == [
        ["old"],
        ["old", "new"],
        ["new", "old"],
        ["new"],
    ]
    by_old, by_new = begun(published), begun(turned)
    # Servers are replaced one by one: each step has to read what its neighbours sign.
    assert [may_read(each, by_old) for each in (before, published, turned)] == [True] * 3
    assert [may_read(each, by_new) for each in (published, turned, after)] == [True] * 3
    assert not may_read(after, by_old)
