"""Every refusal has one form, and every answer carries id and headers."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx2 as httpx
import pytest
import sqlalchemy.exc

from api.app import create_app
from domain.accounts import Role
from infra.settings import Settings
from tests.harness.api import RunningApi
from tests.harness.rows import MakeMedia, MakeUser

UPLOADS = "/api/v1/uploads"
NOWHERE = "01890000-0000-7000-8000-000000000000"


def test_an_unknown_route_is_a_problem(api: RunningApi) -> None:
    answer = api.client().get("/api/v1/nothing")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "route_unknown"
    assert problem["type"] == "urn:fansworld:problem:route_unknown"
    assert problem["title"] == "Not Found"
    assert problem["instance"] == "/api/v1/nothing"
    assert problem["request_id"] == answer.headers["x-request-id"]


def test_a_wrong_method_is_a_problem_that_names_the_right_ones(api: RunningApi) -> None:
    answer = api.client().put(UPLOADS)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert "POST" in answer.headers["allow"]


def test_a_slash_too_many_is_no_redirect(api: RunningApi) -> None:
    answer = api.client().get("/api/v1/media/", headers={"host": "elsewhere.example"})
    assert (answer.status_code, answer.json()["code"]) == (404, "route_unknown")


def test_a_request_id_is_taken_over_or_made(api: RunningApi) -> None:
    client = api.client()
    given = client.get("/livez", headers={"x-request-id": "order-66.retry_1"})
    assert given.headers["x-request-id"] == "order-66.retry_1"
    for unfit in ("short", "x" * 65, "has spaces in it", "new\tline-of-log"):
        made = client.get("/livez", headers={"x-request-id": unfit}).headers["x-request-id"]
        assert made != unfit
        assert len(made) == 32


def test_every_answer_has_security_headers_and_is_not_cached(api: RunningApi) -> None:
    client = api.client()
    for path in ("/livez", "/api/v1/media", "/nothing"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "max-age" in headers["strict-transport-security"]
        assert "no-store" in headers["cache-control"]
        assert "server" not in headers


async def test_a_crash_is_a_problem_with_all_headers_and_tells_nothing(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"cors_origins": ("https://app.example",)}))

    @app.get("/crash")
    async def crash() -> None:
        raise LookupError("where the secret lies")

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        answer = await client.get("/crash", headers={"origin": "https://app.example"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["access-control-allow-origin"] == "https://app.example"


async def test_no_connection_left_is_no_fault_of_the_request(settings: Settings) -> None:
    app = create_app(settings)

    @app.get("/busy")
    async def busy() -> None:
        raise sqlalchemy.exc.TimeoutError("QueuePool limit of size 5 overflow 5 reached")

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        answer = await client.get("/busy")
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert answer.headers["retry-after"].isdecimal()


def test_fields_that_break_rules_are_named_by_pointer(api: RunningApi, make_user: MakeUser) -> None:
    client = api.client(make_user(role=Role.CREATOR))
    answer = client.post(
        UPLOADS,
        json={"file_name": "a.jpg", "size_bytes": 0, "teaser": {"duration_seconds": 0}, "x": 1},
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    errors = {each["pointer"]: each["code"] for each in answer.json()["errors"]}
    assert errors == {
        "#/size_bytes": "greater_than_equal",
        "#/teaser/duration_seconds": "greater_than_equal",
        "#/x": "extra_forbidden",
    }
    answer = client.get("/api/v1/media?limit=0&colour=red")
    pointers = {each["pointer"] for each in answer.json()["errors"]}
    assert pointers == {"query:limit", "query:colour"}


def test_a_refusal_does_not_repeat_what_was_sent(api: RunningApi, make_user: MakeUser) -> None:
    client = api.client(make_user(role=Role.CREATOR))
    answer = client.post(UPLOADS, json={"file_name": "a", "size_bytes": "my-secret-text"})
    assert answer.status_code == 422
    assert "my-secret-text" not in answer.text


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff\xfe", b'"text"', b"null", b""])
def test_a_body_that_is_no_object_is_refused(
    api: RunningApi, make_user: MakeUser, body: bytes
) -> None:
    client = api.client(make_user(role=Role.CREATOR))
    answer = client.post(UPLOADS, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_request"


@pytest.mark.parametrize("text", ["a\x00b", "a\x1bb", "\ud800"])
def test_text_that_the_database_can_not_hold_is_refused(
    api: RunningApi, make_user: MakeUser, text: str
) -> None:
    client = api.client(make_user(role=Role.CREATOR))
    wish = {"file_name": "a.jpg", "size_bytes": 5, "content_type": "image/jpeg", "title": text}
    # json.dumps escapes a lone surrogate, which is how one reaches a server.
    answer = client.post(
        UPLOADS, content=json.dumps(wish), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 422


def test_a_large_body_is_refused_by_its_declared_length(api: RunningApi) -> None:
    answer = api.client().post(UPLOADS, content=b"x" * (1024 * 1024 + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert answer.json()["facts"] == {"limit_bytes": 1024 * 1024}


def test_a_large_body_without_a_length_is_refused_while_it_is_read(
    api: RunningApi, make_user: MakeUser
) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 64 * 1024

    client = api.client(make_user(role=Role.CREATOR))
    answer = client.post(UPLOADS, content=chunks(), headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    "authorization", ["Bearer", "Bearer x", "Bearer a.b.c", "Basic YTpi", "token"]
)
def test_a_bad_token_is_refused_also_where_none_is_needed(
    api: RunningApi, authorization: str
) -> None:
    answer = api.client().get(f"/api/v1/media/{NOWHERE}", headers={"authorization": authorization})
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_no_token_is_unauthenticated_where_one_is_needed(api: RunningApi) -> None:
    answer = api.client().get("/api/v1/media")
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


def test_an_edit_without_a_precondition_is_refused(
    api: RunningApi, make_user: MakeUser, make_media: MakeMedia
) -> None:
    owner = make_user(role=Role.CREATOR)
    media = make_media(owner=owner)
    answer = api.client(owner).patch(f"/api/v1/media/{media.id}", json={"title": "x"})
    assert (answer.status_code, answer.json()["code"]) == (428, "precondition_required")
