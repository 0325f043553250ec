"""What the OpenAPI document promises of every operation."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from api.app import create_app
from api.contract.document import KEYED, operations_of
from api.contract.examples import NoExample, example_of
from tests.unit.api.test_tokens_unit import SEED, settings

DOCUMENT: dict[str, Any] = create_app(settings(SEED)).openapi()
FOUND = list(operations_of(DOCUMENT))
OPERATIONS = {operation["operationId"]: (path, verb, operation) for path, verb, operation in FOUND}
BODIES = [name for name, (_, _, each) in OPERATIONS.items() if "requestBody" in each]


def test_operation_ids_are_unique() -> None:
    assert len(OPERATIONS) == len(FOUND)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_described(name: str) -> None:
    path, _, operation = OPERATIONS[name]
    assert operation["summary"]
    assert operation["description"].endswith((".", "`", ")", "!"))
    assert set(operation["tags"]) <= {tag["name"] for tag in DOCUMENT["tags"]}
    if path.startswith("/api/v1"):
        assert "503" in operation["responses"]


@pytest.mark.parametrize("name", BODIES)
def test_every_body_has_an_example_that_its_schema_takes(name: str) -> None:
    for content in OPERATIONS[name][2]["requestBody"]["content"].values():
        schema = {**content["schema"], "components": DOCUMENT["components"]}
        assert content["example"]
        Draft202012Validator(schema).validate(content["example"])


def responses(name: str) -> set[str]:
    return set(OPERATIONS[name][2]["responses"])


def test_problems_follow_from_what_an_operation_takes() -> None:
    assert {"401", "403", "404", "409", "412", "413", "422", "428", "429"} <= responses("editMedia")
    assert {"413", "415", "422", "429"} <= responses("createUpload")
    assert {"402", "404", "429"} <= responses("startPlayback")
    assert responses("getUpload") >= {"410", "404"}
    assert not {"401", "404", "412", "428"} & responses("register")
    assert {"401", "403", "404", "409", "410"} <= responses("getSegmentKey"), "as tickets fail"
    assert "429" not in responses("getMasterPlaylist")
    assert responses("live") == {"200"}


def test_a_problem_is_problem_details_and_says_when_to_come_again() -> None:
    shared = DOCUMENT["components"]["responses"]
    for status in ("401", "402", "403", "404", "409", "410", "412", "413", "415", "422", "428"):
        assert list(shared[f"Problem{status}"]["content"]) == ["application/problem+json"]
    assert "Retry-After" in shared["Problem429"]["headers"]
    assert "RateLimit" in shared["Problem429"]["headers"]
    assert "Retry-After" in shared["Problem503"]["headers"]


@pytest.mark.parametrize(
    ("name", "status", "headers"),
    [
        ("getMedia", "200", {"ETag", "RateLimit", "RateLimit-Policy"}),
        ("editMedia", "200", {"ETag", "RateLimit", "RateLimit-Policy"}),
        (
            "createUpload",
            "201",
            {"Location", "RateLimit", "RateLimit-Policy", "Idempotency-Replayed"},
        ),
        ("getMasterPlaylist", "200", set()),
    ],
)
def test_headers_of_answers_are_named(name: str, status: str, headers: set[str]) -> None:
    assert set(OPERATIONS[name][2]["responses"][status].get("headers", {})) == headers


def with_key(parameter: str) -> set[str]:
    reference = {"$ref": f"#/components/parameters/{parameter}"}
    return {
        name for name, (*_, each) in OPERATIONS.items() if reference in each.get("parameters", [])
    }


def test_posts_take_an_idempotency_key_where_it_is_of_effect() -> None:
    may, must = with_key("IdempotencyKey"), with_key("RequiredKey")
    assert not may & must
    assert may | must == {
        name
        for name, (path, method, _) in OPERATIONS.items()
        if method == "post" and not path.startswith(("/api/v1/auth/", "/webhooks/"))
    } - {"startPlayback", "batchAccess", "batchPostAccess", "getQuote", "signUploadParts"}
    assert "createUpload" in may


def test_what_moves_money_needs_an_idempotency_key() -> None:
    assert with_key("RequiredKey") == KEYED
    assert all("400" in responses(name) for name in KEYED)
    assert DOCUMENT["components"]["parameters"]["RequiredKey"]["required"] is True


def test_both_ways_to_sign_in_are_described() -> None:
    schemes = DOCUMENT["components"]["securitySchemes"]
    assert (schemes["accessToken"]["type"], schemes["accessToken"]["scheme"]) == ("http", "bearer")
    assert (schemes["accessCookie"]["type"], schemes["accessCookie"]["in"]) == ("apiKey", "cookie")


def test_a_field_of_which_nothing_is_known_needs_an_example() -> None:
    schema = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
    with pytest.raises(NoExample, match=r"body\.name"):
        example_of(schema, {})
