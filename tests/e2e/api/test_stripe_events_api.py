"""What Stripe delivers: believed only with its signature, written down once, told to its owner."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest
import stripe
from pydantic import SecretStr
from sqlalchemy import Engine
from temporalio.client import Client, WorkflowExecutionStatus

from infra.db import transaction
from infra.ids import new_id
from infra.models import StripeEvent
from infra.settings import Settings
from infra.temporal import connect
from tests.harness.api import RunningApi, StartApi

PLATFORM, CONNECT = "whsec_platform", "whsec_connect"


@pytest.fixture
def hooked(start_api: StartApi) -> RunningApi:
    return start_api(
        stripe_webhook_secrets=(SecretStr("whsec_old"), SecretStr(PLATFORM)),
        stripe_connect_webhook_secrets=(SecretStr(CONNECT),),
    )


@pytest.fixture
def client(hooked: RunningApi) -> Iterator[httpx.Client]:
    yield hooked.client()
    hooked.close_clients()


def event(type_: str, **subject: Any) -> dict[str, Any]:
    return {
        "id": f"evt_{new_id()}",
        "object": "event",
        "type": type_,
        "created": int(time.time()),
        "data": {"object": {"id": f"obj_{new_id()}", "object": "thing", **subject}},
    }


def deliver(
    client: httpx.Client, body: dict[str, Any], *, secret: str = PLATFORM, to: str = "stripe"
) -> httpx.Response:
    text = json.dumps(body)
    header = stripe.WebhookSignature.generate_signature_header(text, secret)
    return client.post(
        f"/webhooks/{to}",
        content=text.encode(),
        headers={"stripe-signature": header, "content-type": "application/json"},
    )


def row_of(engine: Engine, told: dict[str, Any]) -> StripeEvent | None:
    with transaction(engine) as session:
        return session.get(StripeEvent, told["id"])


def test_what_is_of_no_concern_is_written_down_and_left(
    client: httpx.Client, engine: Engine
) -> None:
    told = event("balance.available")
    answer = deliver(client, told)
    assert (answer.status_code, answer.json()) == (200, {"received": True})
    row = row_of(engine, told)
    assert row is not None and (row.state, row.attempts) == ("ignored", 0)


@pytest.mark.parametrize(
    ("secret", "to"),
    [("whsec_wrong", "stripe"), (CONNECT, "stripe"), (PLATFORM, "stripe/connect")],
)
def test_what_another_has_signed_is_refused(
    client: httpx.Client, engine: Engine, secret: str, to: str
) -> None:
    told = event("charge.dispute.created")
    answer = deliver(client, told, secret=secret, to=to)
    assert (answer.status_code, answer.json()["code"]) == (422, "signature_refused")
    assert row_of(engine, told) is None


def test_what_was_made_in_the_dashboard_is_parked(client: httpx.Client, engine: Engine) -> None:
    told = event("refund.created")
    assert deliver(client, told).status_code == 200
    row = row_of(engine, told)
    assert row is not None and (row.state, row.reason) == ("parked", "made_elsewhere")


def test_news_of_what_is_not_in_our_rows_is_parked(client: httpx.Client, engine: Engine) -> None:
    metadata = {"op_id": new_id(), "op_kind": "charge", "workflow_id": f"tip:{new_id()}"}
    told = event("payment_intent.succeeded", metadata=metadata)
    for attempts in (1, 2):
        assert deliver(client, told).status_code == 200
        row = row_of(engine, told)
        assert row is not None
        assert (row.state, row.reason, row.attempts) == ("parked", "owner_unknown", attempts)
        assert row.owner_workflow_id == metadata["workflow_id"]


def test_a_dispute_begins_its_run_and_one_that_comes_twice_signals_twice(
    client: httpx.Client, engine: Engine, settings: Settings
) -> None:
    dispute_id = f"dp_{new_id()}"
    told = event("charge.dispute.created", id=dispute_id)
    for attempts in (1, 2):
        assert deliver(client, told).status_code == 200
        row = row_of(engine, told)
        assert row is not None and (row.state, row.attempts) == ("handled", attempts)
    signals = asyncio.run(_signals_of(settings, f"dispute:{dispute_id}"))
    assert signals == ["stripe_changed", "stripe_changed"]


async def _signals_of(settings: Settings, workflow_id: str) -> list[str]:
    temporal: Client = await connect(settings)
    handle = temporal.get_workflow_handle(workflow_id)
    assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    history = await handle.fetch_history()
    await handle.terminate("the test is over")
    return [
        each.workflow_execution_signaled_event_attributes.signal_name
        for each in history.events
        if each.HasField("workflow_execution_signaled_event_attributes")
    ]


def test_an_event_is_kept_while_temporal_is_away(start_api: StartApi, engine: Engine) -> None:
    away = start_api(stripe_webhook_secrets=(SecretStr(PLATFORM),), temporal_address="127.0.0.1:9")
    told = event("charge.dispute.created", id=f"dp_{new_id()}")
    assert deliver(away.client(), told).status_code == 200
    row = row_of(engine, told)
    assert row is not None and (row.state, row.attempts) == ("new", 0)


def test_a_body_that_is_too_large_is_not_read(client: httpx.Client, hooked: RunningApi) -> None:
    told = event("balance.available", filler="x" * hooked.settings.api_body_bytes_max)
    assert deliver(client, told).status_code == 413
