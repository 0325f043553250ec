"""The OpenAPI document: what FastAPI knows of the routes, and what holds for all of them.

Which problems an operation may answer with follows from what it takes: an `If-Match` header
can fail to match, a path can name what is not there. `default` still covers the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api import API_PREFIX
from api.auth.callers import ACCESS_COOKIE_SCHEME, ACCESS_TOKEN_SCHEME
from api.auth.cookies import ACCESS_COOKIE
from api.contract.examples import example_of
from api.contract.idempotency import takes_key
from api.contract.limits import is_limited
from api.problems import MEDIA_TYPE, Problem

Json = dict[str, Any]

DESCRIPTION = """
Errors are problem details (RFC 9457) with a stable `code`. Lists are pages: `limit`, an opaque
`cursor`, and `{data, next_cursor, has_more}`. Edits need `If-Match` with the ETag of what was
read. A `POST` with an `Idempotency-Key` counts once, however often it is sent;
where money moves, or a message is sent, it has to have one.
"""
PROBLEMS = {
    "400": "The body can't be read, or an `Idempotency-Key` is missing that has to be there.",
    "401": "Nobody is signed in, or the sign-in or what proves it does not count (any more).",
    "402": "Locked; `offers` say what would open it.",
    "403": "Known to the caller, but not theirs to do; or a foreign site has made a browser ask.",
    "404": "Not there, or nothing that the caller may know of.",
    "409": "Its state does not allow this now, or the first request with this "
    "`Idempotency-Key` is still in flight.",
    "410": "It has expired.",
    "412": "It was edited meanwhile: `If-Match` does not match.",
    "413": "The body, or the file, is too large.",
    "415": "Files of this type are not taken.",
    "422": "A value breaks a rule; `errors` say which. Or the `Idempotency-Key` came with "
    "another request before.",
    "428": "An edit needs `If-Match`.",
    "429": "Too many requests; `Retry-After` says when to come again.",
    "503": "A part that this needs does not answer; try again after `Retry-After`.",
}
TAGGED = frozenset(
    (
        "changeMyHandle",
        "createComment",
        "createPost",
        "createPromoCode",
        "createTier",
        "editComment",
        "editCreatorSettings",
        "editMe",
        "editMedia",
        "editMySettings",
        "editPost",
        "editPromoCode",
        "editTier",
        "getAuthKeys",
        "getCreator",
        "getCreatorSettings",
        "getKeys",
        "getMe",
        "getMedia",
        "getMyPromoCode",
        "getMySettings",
        "getMyTier",
        "getPost",
        "pinPost",
        "publishPost",
        "schedulePost",
        "setBundle",
        "unpinPost",
        "unschedulePost",
    )
)
"""Operations whose answer has an `ETag`."""
LOCATED = frozenset(
    (
        "applyAsCreator",
        "cancelProcessing",
        "completeUpload",
        "createPost",
        "createPromoCode",
        "createTier",
        "createUpload",
        "deleteMedia",
        "reprocessMedia",
        "requestPayout",
        "retryRendition",
        "setUpCard",
    )
)
"""Operations whose answer has a `Location`."""
PROVING = frozenset(
    ("answerSecondFactor", "refreshSession", "signIn", "signInWithPasskey"),
)
"""Operations that take a proof and no token: a wrong one is a 401."""
LACKING = frozenset(("getMyApplication", "getPayoutAccount", "removeTotp"))
"""Operations on what a caller may have one of, or none."""
KEYED = frozenset(
    (
        "giveCompliment",
        "requestPayout",
        "sendGift",
        "sendMessage",
        "sendTip",
        "subscribe",
        "unlockMessage",
        "unlockPost",
    )
)
"""Operations that move money, give access or write to somebody, and need an `Idempotency-Key`."""
RUNNING_OUT = frozenset(
    (
        "addPasskey",
        "answerSecondFactor",
        "confirmEmail",
        "getSecondFactorOptions",
        "resetPassword",
        "signInWithPasskey",
        "stepUp",
        "verifyEmail",
    )
)
"""Operations that answer a challenge, or take a link, which runs out."""
_TEXT = {"type": "string"}
HEADERS: dict[str, Json] = {
    "ETag": {"description": "Version of what is shown, for `If-Match`.", "schema": _TEXT},
    "Location": {"description": "Where its state is shown.", "schema": _TEXT},
    "RateLimit": {
        "description": "What is left of each limit: `r` requests for the next `t` seconds.",
        "schema": _TEXT,
        "example": '"api";r=99;t=42',
    },
    "RateLimit-Policy": {
        "description": "The limits that count this request: `q` requests in `w` seconds.",
        "schema": _TEXT,
        "example": '"api";q=100;w=60',
    },
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}},
    "Idempotency-Replayed": {
        "description": "This is the kept answer to the first request with the key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}
_COOKIE_SCHEME: Json = {
    "type": "apiKey",
    "in": "cookie",
    "name": ACCESS_COOKIE,
    "description": "The same token for browsers, which sign in with mode `cookie`. Counts where "
    "there is no `Authorization` header.",
}
_KEY_PARAMETER: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Chosen by the client, such as a UUID: repeats of this request within a day "
    "get the first one's answer. Of no effect where nobody is signed in.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
_REQUIRED = (
    "Chosen by the client, such as a UUID: new for each thing to pay for or to send, and the "
    "same when the request is repeated, so that nothing is paid or sent twice."
)


def build_document(app: FastAPI, tags: list[dict[str, str]]) -> Json:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=DESCRIPTION,
        openapi_version="3.1.0",
        tags=tags,
        routes=app.routes,
    )
    components = document["components"]
    components["headers"] = HEADERS
    components["responses"] = {f"Problem{status}": _problem(status) for status in PROBLEMS}
    components["parameters"] = {
        "IdempotencyKey": _KEY_PARAMETER,
        "RequiredKey": {**_KEY_PARAMETER, "required": True, "description": _REQUIRED},
    }
    components["securitySchemes"][ACCESS_COOKIE_SCHEME] = _COOKIE_SCHEME
    _add_problem_schema(components["schemas"])
    for path, method, operation in operations_of(document):
        _describe(operation, path, method, schemas=components["schemas"])
        _name_headers(operation, path, method)
    return document


def operations_of(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Path, method and operation of each."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield path, method, operation


def _add_problem_schema(schemas: Json) -> None:
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs", {})
    schemas["Problem"] = problem
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)


def _problem(status: str) -> Json:
    headers = ["Retry-After"] if status in ("429", "503") else []
    headers += ["RateLimit", "RateLimit-Policy"] if status == "429" else []
    return {
        "description": PROBLEMS[status],
        "headers": {name: _header(name) for name in headers},
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def _header(name: str) -> Json:
    return {"$ref": f"#/components/headers/{name}"}


def _describe(operation: Json, path: str, method: str, *, schemas: Json) -> None:
    operation["summary"] = _summary(operation["operationId"])
    if {ACCESS_TOKEN_SCHEME: []} in operation.get("security", ()):
        # Wherever a token is taken from the header, it is taken from the cookie as well.
        operation["security"].append({ACCESS_COOKIE_SCHEME: []})
    responses = operation["responses"]
    # FastAPI's own form of a 422, which we never answer.
    responses.pop("422", None)
    if path.startswith((API_PREFIX, "/webhooks/")):
        for status in _problems_of(operation, path, method):
            responses.setdefault(status, {"$ref": f"#/components/responses/Problem{status}"})
    if takes_key(method.upper(), path):
        name = "RequiredKey" if operation["operationId"] in KEYED else "IdempotencyKey"
        reference = {"$ref": f"#/components/parameters/{name}"}
        operation.setdefault("parameters", []).append(reference)
    for content in operation.get("requestBody", {}).get("content", {}).values():
        if "example" not in content and "examples" not in content:
            content["example"] = example_of(content["schema"], schemas)


def _problems_of(operation: Json, path: str, method: str) -> list[str]:
    names = _parameter_names(operation)
    name = operation["operationId"]
    has_body, changes = "requestBody" in operation, method != "get"
    has_ticket = "token" in names
    asks_who = "security" in operation or has_ticket
    holds = {
        "400": has_body or name in KEYED,
        "401": asks_who or name in PROVING,
        "402": any(subject in path for subject in ("{media_id}", "{post_id}", "{comment_id}")),
        "403": asks_who or changes,
        "404": "{" in path or name in LACKING,
        "409": changes or has_ticket,
        "410": "{upload_id}" in path or has_ticket or name in RUNNING_OUT,
        "412": "if-match" in names,
        "413": has_body,
        "415": name == "createUpload",
        "422": has_body or bool(names) or name in KEYED,
        "428": "if-match" in names,
        "429": is_limited(path),
        "503": True,
    }
    return [status for status, does in holds.items() if does]


def _name_headers(operation: Json, path: str, method: str) -> None:
    name = operation["operationId"]
    replayed = takes_key(method.upper(), path)
    for status, response in operation["responses"].items():
        if not status.startswith("2"):
            continue
        holds = {
            "ETag": name in TAGGED,
            "Location": name in LOCATED,
            "RateLimit": is_limited(path),
            "RateLimit-Policy": is_limited(path),
            "Idempotency-Replayed": replayed,
        }
        named = {header: _header(header) for header, does in holds.items() if does}
        if named:
            response["headers"] = {**response.get("headers", {}), **named}


def _parameter_names(operation: Json) -> set[str]:
    return {each["name"].lower() for each in operation.get("parameters", []) if "name" in each}


def _summary(operation_id: str) -> str:
    """`listMyBlocks` is "List my blocks"."""
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda m: f" {m[0].lower()}", operation_id).capitalize()
