"""Health, metrics, the OpenAPI document and its page."""

from __future__ import annotations

import re
import socket
from typing import Any

import pytest

from domain.accounts import Role
from tests.harness.api import RunningApi, StartApi
from tests.harness.rows import MakeUser

PARTS = {"postgres", "valkey", "storage", "temporal"}


def test_it_is_ready_when_every_part_answers(api: RunningApi) -> None:
    answer = api.client().get("/readyz")
    body = answer.json()
    assert (answer.status_code, body["status"]) == (200, "ok"), body
    assert set(body["checks"]) == PARTS


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("valkey", {"valkey_url": "redis://127.0.0.1:1/0"}),
        ("storage", {"s3_endpoint": "http://127.0.0.1:1"}),
        ("temporal", {"temporal_address": "127.0.0.1:1"}),
    ],
)
def test_it_is_degraded_without_a_part_and_says_which(
    start_api: StartApi, part: str, changes: dict[str, str]
) -> None:
    answer = start_api(**changes).client().get("/readyz")
    body = answer.json()
    assert (answer.status_code, body["status"]) == (200, "degraded")
    assert {name for name, check in body["checks"].items() if not check["ok"]} == {part}


def test_it_is_not_ready_without_postgres_but_alive(start_api: StartApi) -> None:
    api = start_api(database_url="postgresql+psycopg://nobody:secret@127.0.0.1:1/none")
    answer = api.client().get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "failed")
    assert "secret" not in answer.text
    assert api.client().get("/livez").status_code == 200


def test_a_part_that_hangs_does_not_hang_the_probe(start_api: StartApi) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        api = start_api(
            s3_endpoint=f"http://{address}",
            temporal_address=address,
            valkey_url=f"redis://{address}/0",
        )
        body = api.client().get("/readyz").json()
    failed = {name: check for name, check in body["checks"].items() if not check["ok"]}
    assert set(failed) == PARTS - {"postgres"}
    assert all(check["milliseconds"] < 4000 for check in failed.values())


def test_routes_answer_503_without_postgres(start_api: StartApi, make_user: MakeUser) -> None:
    user = make_user(role=Role.CREATOR)
    api = start_api(database_url="postgresql+psycopg://nobody@127.0.0.1:1/none")
    client = api.client(user)
    wish = {"file_name": "a.jpg", "size_bytes": 10, "content_type": "image/jpeg"}
    for answer in (client.get("/api/v1/media"), client.post("/api/v1/uploads", json=wish)):
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert answer.headers["retry-after"].isdecimal()


def test_metrics_count_by_route_template_and_not_by_path(api: RunningApi) -> None:
    client = api.client()
    for number in range(3):
        client.get(f"/api/v1/media/01890000-0000-7000-8000-00000000000{number}")
        client.get(f"/unknown/{number}")
    text = client.get("/metrics").text
    assert 'route="/api/v1/media/{media_id}",status="404"' in text
    assert 'route="unmatched"' in text
    assert "01890000" not in text
    assert "/unknown/" not in text


def test_the_document_describes_every_route(api: RunningApi) -> None:
    document = api.client().get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    tags = {tag["name"] for tag in document["tags"]}
    for operations in document["paths"].values():
        for operation in operations.values():
            assert operation["operationId"]
            assert operation["description"]
            assert set(operation["tags"]) <= tags
    assert _unknown_references(document) == set()
    problem = document["components"]["schemas"]["Problem"]
    assert {"type", "title", "status", "detail", "instance", "code"} <= set(problem["required"])
    assert document["components"]["securitySchemes"]["accessToken"]["scheme"] == "bearer"
    for name in ("UploadCreate", "MediaPatch", "BatchAccessRequest"):
        assert document["components"]["schemas"][name]["additionalProperties"] is False


def _unknown_references(document: dict[str, Any]) -> set[str]:
    used = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    return used - set(document["components"]["schemas"])


def test_the_page_needs_nothing_from_elsewhere(api: RunningApi) -> None:
    answer = api.client().get("/docs")
    assert answer.status_code == 200
    assert "http://" not in answer.text
    assert "https://" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert "script-src 'sha256-" in policy
    assert "unsafe" not in policy


def test_origins_of_the_settings_may_call_and_others_may_not(start_api: StartApi) -> None:
    api = start_api(cors_origins=("https://app.example",))
    asked = {"access-control-request-method": "PATCH", "access-control-request-headers": "if-match"}
    client = api.client()
    allowed = client.options("/api/v1/media/x", headers={"origin": "https://app.example", **asked})
    assert allowed.headers["access-control-allow-origin"] == "https://app.example"
    other = client.options("/api/v1/media/x", headers={"origin": "https://evil.example", **asked})
    assert "access-control-allow-origin" not in other.headers
    assert "access-control-allow-methods" not in other.headers
    assert (other.status_code, other.json()["code"]) == (400, "cors_refused")
    assert "Origin" in other.headers["vary"]
    read = client.get("/livez", headers={"origin": "https://app.example"})
    assert "etag" in read.headers["access-control-expose-headers"].lower()
