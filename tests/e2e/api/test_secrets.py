"""Nothing secret stands in what Temporal keeps of a run, in an address, or in an error."""

from __future__ import annotations

import asyncio
import time

import pytest
from sqlalchemy import Engine, select
from temporalio.client import Client

from devstack.mailbox import Mailbox
from domain.ids import mail_workflow_id
from infra.db import transaction
from infra.ids import new_id
from infra.models import Mail
from infra.settings import Settings
from infra.temporal import connect
from tests.e2e.api.auth.accounts import AUTH, OTHER_PASSWORD, PASSWORD
from tests.harness.api import RunningApi

LOG_SECONDS = 10

pytestmark = pytest.mark.usefixtures("mails_are_sent")


def test_runs_addresses_and_errors_hold_no_secret(
    api: RunningApi,
    mailbox: Mailbox,
    engine: Engine,
    settings: Settings,
    capfd: pytest.CaptureFixture[str],
) -> None:
    client, handle = api.client(), f"mia{new_id()[-8:]}"
    email = f"{handle}@example.com"
    wish = {"handle": handle, "email": email, "password": PASSWORD}
    assert client.post(f"{AUTH}/register", json=wish).status_code == 202
    verify = mailbox.wait_for(email).token
    assert client.post(f"{AUTH}/verify-email", json={"token": verify}).status_code == 204
    sign_in = {"name": email, "password": PASSWORD}
    begun = client.post(f"{AUTH}/login", json=sign_in).json()
    assert client.post(f"{AUTH}/password/forgot", json={"email": email}).status_code == 202
    reset = mailbox.wait_for(email, count=2).token
    signed_in = api.client(token=begun["access_token"])
    totp = signed_in.post(f"{AUTH}/totp").json()
    refusals = [
        client.post(f"{AUTH}/login", json=sign_in | {"password": OTHER_PASSWORD}),
        client.post(f"{AUTH}/login", json=sign_in | {"mode": "telepathy"}),
        client.post(f"{AUTH}/verify-email", json={"token": verify}),
        client.post(f"{AUTH}/password/reset", json={"token": f"{reset}x", "new_password": "short"}),
        api.client(token=begun["refresh_token"]).get("/api/v1/me"),
        signed_in.get(f"/api/v1/media/{new_id()}/hls/key", params={"token": reset}),
    ]
    assert all(400 <= answer.status_code < 500 for answer in refusals)
    secrets = {
        *(PASSWORD, OTHER_PASSWORD, verify, reset, totp["secret"]),
        *(begun["access_token"], begun["refresh_token"]),
    }
    logged = _logged_until("/hls/key", capfd)
    kept = asyncio.run(_kept_of_mails(settings, _mail_ids(engine)))
    assert kept.count("WORKFLOW_EXECUTION_STARTED") >= 2, "the runs were read"
    for secret in secrets:
        assert all(secret not in answer.text for answer in refusals)
        assert secret not in logged
        assert secret not in kept
    for private in (email, handle):
        assert private not in kept, "a run names nobody"


def _logged_until(last: str, capfd: pytest.CaptureFixture[str]) -> str:
    """The log so far; the line on a request is written after its answer has gone out."""
    logged, end = "", time.monotonic() + LOG_SECONDS
    while last not in logged and time.monotonic() < end:
        logged += "".join(capfd.readouterr())
        time.sleep(0.02)
    assert last in logged, "the log was read"
    return logged


def _mail_ids(engine: Engine) -> list[str]:
    with transaction(engine) as session:
        return list(session.scalars(select(Mail.id)))


async def _kept_of_mails(settings: Settings, mail_ids: list[str]) -> str:
    """All that Temporal has of these runs: as it is stored, and what it says once decrypted."""
    client = await connect(settings)
    return "\n".join([await _kept(client, mail_workflow_id(mail_id)) for mail_id in mail_ids])


async def _kept(client: Client, workflow_id: str) -> str:
    handle = client.get_workflow_handle(workflow_id)
    history = await handle.fetch_history()
    described = (await handle.describe()).raw_description
    opened = [
        str(await client.data_converter.decode(each.payloads))
        for event in history.events
        for each in (
            event.workflow_execution_started_event_attributes.input,
            event.activity_task_scheduled_event_attributes.input,
            event.activity_task_completed_event_attributes.result,
        )
        if each.payloads
    ]
    return "\n".join([history.to_json(), str(described), *opened])
