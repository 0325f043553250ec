"""The codec endpoint as Temporal's UI meets it, and as others do."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest
import time_machine
from google.protobuf.json_format import MessageToDict
from pydantic import SecretStr
from starlette.testclient import TestClient
from temporalio.api.common.v1 import Payload, Payloads

from infra.settings import Settings
from infra.temporal import EncryptingCodec
from ops.codec.__main__ import faults_of
from ops.codec.app import BODY_BYTES_MAX, create_app
from ops.codec.operators import SESSION_SECONDS, Operators

UI = "http://127.0.0.1:8080"
SECRET = "a secret of more than enough"
KEY = base64.b64encode(bytes(range(32))).decode()
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'{"media_id": "7"}')


def settings_with(**changes: Any) -> Settings:
    keys = {name: {"k": SecretStr(KEY)} for name in RINGS}
    given: dict[str, Any] = {
        **keys,
        "url_signing_key": SecretStr(KEY),
        "temporal_ui_url": f"{UI}/namespaces",
        "codec_operators": {"ada": SecretStr(SECRET)},
    }
    return Settings(**(given | changes))


RINGS = ("payload_keys", "media_master_keys", "account_master_keys", "token_private_keys")


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(create_app(settings_with()), base_url="http://127.0.0.1") as client:
        yield client


async def sealed(key: str = KEY) -> list[Payload]:
    return await EncryptingCodec({"k": SecretStr(key)}).encode([PLAIN])


def body(payloads: list[Payload]) -> dict[str, Any]:
    return MessageToDict(Payloads(payloads=payloads))


def ask(client: TestClient, payloads: list[Payload], **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(
        "/decode", json=body(payloads), headers={"origin": UI, "x-namespace": "default"} | named
    )


async def test_a_bearer_of_a_secret_reads_what_was_encrypted(client: TestClient) -> None:
    answer = ask(client, [*await sealed(), PLAIN], authorization=f"Bearer {SECRET}")
    assert answer.status_code == 200
    assert answer.json() == body([PLAIN, PLAIN])
    assert answer.headers["access-control-allow-origin"] == UI


async def test_who_has_signed_in_reads_it_until_the_session_ends(client: TestClient) -> None:
    with time_machine.travel(time.time(), tick=False) as clock:
        assert ask(client, await sealed()).status_code == 401
        wrong = client.post("/login", data={"secret": "another secret of that length"})
        assert (wrong.status_code, "set-cookie" in wrong.headers) == (403, False)
        signed_in = client.post("/login", data={"secret": SECRET})
        cookie = signed_in.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie
        assert SECRET not in cookie
        assert ask(client, await sealed()).json() == body([PLAIN])
        value = client.cookies["codec"]
        forged = value.replace("ada.", "ada.9")
        client.cookies.clear()
        assert ask(client, await sealed(), cookie=f"codec={forged}").status_code == 401
        clock.shift(SESSION_SECONDS + 1)
        assert ask(client, await sealed(), cookie=f"codec={value}").status_code == 401


async def test_pages_of_others_are_refused(client: TestClient) -> None:
    given = {"authorization": f"Bearer {SECRET}"}
    answer = ask(client, await sealed(), origin="https://evil.example", **given)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    asked = client.options(
        "/decode",
        headers={
            "origin": "https://evil.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type,x-namespace",
        },
    )
    assert "access-control-allow-origin" not in asked.headers


async def test_other_namespaces_large_bodies_and_rubbish_are_refused(client: TestClient) -> None:
    given = {"authorization": f"Bearer {SECRET}"}
    assert ask(client, await sealed(), x_namespace="another", **given).status_code == 404
    for content, status in ((b"x" * (BODY_BYTES_MAX + 1), 413), (b"{", 400), (b"\xff", 400)):
        assert client.post("/decode", content=content, headers=given).status_code == status


async def test_what_another_key_encrypted_stays_as_it_is(client: TestClient) -> None:
    other = base64.b64encode(bytes(32)).decode()
    (foreign,) = await EncryptingCodec({"gone": SecretStr(other)}).encode([PLAIN])
    answer = ask(client, [foreign, *await sealed()], authorization=f"Bearer {SECRET}")
    assert answer.json() == body([foreign, PLAIN])


async def test_what_an_operator_sends_is_encrypted(client: TestClient) -> None:
    answer = client.post(
        "/encode", json=body([PLAIN]), headers={"authorization": f"Bearer {SECRET}"}
    )
    (payload,) = answer.json()["payloads"]
    assert base64.b64decode(payload["metadata"]["encoding"]) == b"binary/encrypted"
    assert ask(
        client,
        [
            Payload(
                metadata={
                    name: base64.b64decode(value) for name, value in payload["metadata"].items()
                },
                data=base64.b64decode(payload["data"]),
            )
        ],
        authorization=f"Bearer {SECRET}",
    ).json() == body([PLAIN])


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"environment": "production", "codec_operators": {}}, "CODEC_OPERATORS: missing"),
        ({"codec_host": "0.0.0.0", "codec_operators": {}}, "CODEC_OPERATORS: missing"),
        ({"codec_operators": {"ada": SecretStr("short")}}, "the secret of ada has less than"),
        ({"temporal_ui_url": None}, "TEMPORAL_UI_URL: missing"),
    ],
)
def test_it_does_not_start_where_anybody_could_read(changes: dict[str, Any], fault: str) -> None:
    assert faults_of(settings_with()) == []
    assert faults_of(settings_with(codec_operators={})) == [], "development, on loopback"
    (found,) = faults_of(settings_with(**changes))
    assert fault in found


def test_a_name_may_have_dots_of_its_own() -> None:
    operators = Operators(
        {"ada@example.com": SecretStr(SECRET), "ada@example": SecretStr("b" * 24)}
    )
    cookie = operators.make_cookie("ada@example.com")
    assert operators.who_holds(cookie) == "ada@example.com"
    assert operators.who_holds(cookie.replace("example.com", "example")) is None
    assert operators.who_holds("rubbish") is None
