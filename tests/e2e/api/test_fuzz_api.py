"""Schemathesis reads the OpenAPI document and sends what nobody thought of.

Whatever comes, the answer is one that the document promises, and never a crash.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
)

from api.auth.tokens import mint_token
from domain.accounts import Role
from infra.settings import Settings
from infra.storage import Storage
from tests.e2e.api.walk import OPERATIONS
from tests.harness.api import RunningApi, serving
from tests.harness.rows import MakeUser

EXAMPLES = 15
STREAMS = {"followMedia"}


def status_is_said(ctx: Any, response: Any, case: Any) -> None:
    """Of its own: to Schemathesis `default`, which every operation has, says all of them."""
    del ctx
    said = case.operation.definition.raw["responses"].keys() - {"default"}
    assert str(response.status_code) in said, f"{response.status_code} is not said: {sorted(said)}"


CHECKS = (
    not_a_server_error,
    status_is_said,
    content_type_conformance,
    response_schema_conformance,
)


@pytest.fixture(scope="module")
def hurried(settings: Settings, storage: Storage) -> Iterator[RunningApi]:
    """Where nobody waits for a run: nobody works here."""
    del storage  # Asked for, because it makes the buckets.
    with serving(settings.model_copy(update={"run_patience_seconds": 0.1})) as running:
        yield running


@pytest.fixture(scope="module")
def operations(hurried: RunningApi) -> dict[str, Any]:
    """What the document says, by operation id; reading all of it takes seconds."""
    document: Any = schemathesis.openapi.from_url(f"{hurried.url}/openapi.json")
    found = [each.ok() for each in document.get_all_operations()]
    return {each.definition.raw["operationId"]: each for each in found}


@pytest.mark.parametrize("operation_id", sorted(set(OPERATIONS) - STREAMS))
def test_the_document_is_kept(
    hurried: RunningApi, operations: dict[str, Any], make_user: MakeUser, operation_id: str
) -> None:
    operation = operations[operation_id]
    role = Role.ADMIN if "/admin/" in operation.path else Role.CREATOR
    token = mint_token(hurried.settings, make_user(role=role).id)

    @given(case=operation.as_strategy())
    @examples(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def send(case: Any) -> None:
        case.call_and_validate(headers={"authorization": f"Bearer {token}"}, checks=CHECKS)

    send()
