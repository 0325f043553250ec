"""Schemathesis reads the OpenAPI document and sends what nobody thought of.

Whatever comes, the answer is one that the document promises, and never a crash.
"""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
)

from api.auth.tokens import mint_token
from api.contract.document import KEYED
from domain.accounts import Role
from tests.e2e.api.walk import OPERATIONS
from tests.harness.api import RunningApi, StartApi
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


WAITING = KEYED | {"setUpCard"}
"""Operations that wait for a run, and nobody works here."""


@pytest.mark.parametrize("operation", sorted(set(OPERATIONS) - STREAMS))
def test_the_document_is_kept(
    api: RunningApi, start_api: StartApi, make_user: MakeUser, operation: str
) -> None:
    if operation in WAITING:
        api = start_api(run_patience_seconds=0.1)
    document: Any = schemathesis.openapi.from_url(f"{api.url}/openapi.json")
    [found] = [
        result.ok()
        for result in document.get_all_operations()
        if result.ok().definition.raw.get("operationId") == operation
    ]
    role = Role.ADMIN if "/admin/" in found.path else Role.CREATOR
    token = mint_token(api.settings, make_user(role=role).id)

    @given(case=found.as_strategy())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def send(case: Any) -> None:
        case.call_and_validate(headers={"authorization": f"Bearer {token}"}, checks=CHECKS)

    send()
