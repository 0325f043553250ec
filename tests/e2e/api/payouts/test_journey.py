"""From the first link to money at the bank and back: the API over HTTP, real Temporal, a local
Stripe on a port."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2 as httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine
from temporalio.client import Client
from temporalio.worker import Worker

from activities.payouts import ConnectActivities, ReturnActivities, SendingActivities
from api.auth.tokens import TokenKeys
from devstack.stripe import LocalStripe
from devstack.stripe.accounts import onboard
from devstack.stripe.inprocess import InProcessClient, client_of
from devstack.stripe.payouts import fail_payout
from domain.ids import payout_workflow_id
from infra.ids import new_id
from infra.settings import Settings
from infra.stripe import StripeGateway
from tests.e2e.api.walk.people import People, Person, make_people
from tests.harness.api import RunningApi, StartApi
from tests.harness.earnings import Earner
from workflows.payouts.start import watch_account
from workflows.queues import Queue, queue_name
from workflows.runner import WORKFLOWS, workflow_runner

ME, ADMIN = "/api/v1/me", "/api/v1/admin"
Json = dict[str, Any]
DAY_SECONDS = 86_400


@pytest.fixture
def local() -> LocalStripe:
    return LocalStripe(now=int(datetime.now(UTC).timestamp()), seed=new_id())


@pytest.fixture
def stripe_url(local: LocalStripe) -> Iterator[str]:
    one_at_a_time = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            with one_at_a_time:
                answer = local.handle(self.command, self.path, dict(self.headers), body)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = _answer

        def log_message(self, format: str, *args: Any) -> None:
            """Tests tell of what fails by themselves."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join(10)


@dataclass
class Journey:
    api: RunningApi
    people: People
    earner: Earner
    local: LocalStripe
    temporal: Client

    def client(self, person: Person) -> httpx.Client:
        keys = TokenKeys(self.api.settings)
        return self.api.client(token=keys.mint(person.user.id, session_id=person.session.id))

    @property
    def creator(self) -> httpx.Client:
        return self.client(self.people.owner)

    async def until(self, path: str, fits: Callable[[Json], bool]) -> Json:
        client = self.creator
        async with asyncio.timeout(30):
            while not fits(shown := client.get(path).json()):
                await asyncio.sleep(0.1)
        return dict(shown)

    async def until_state(self, payout_id: str, state: str) -> Json:
        return await self.until(
            f"{ME}/payouts/{payout_id}", lambda shown: shown.get("state") == state
        )

    async def tell(self, payout_id: str, event_type: str) -> None:
        """As what takes Stripe's events does."""
        run = self.temporal.get_workflow_handle(payout_workflow_id(payout_id))
        await run.signal("stripe_changed", args=[event_type, "po_1"])

    @property
    def balance(self) -> Json:
        [shown] = self.creator.get(f"{ME}/balance").json()["data"]
        return {name: shown[name] for name in ("available_minor", "in_flight_minor")}


@pytest.fixture
async def journey(
    local: LocalStripe,
    stripe_url: str,
    settings: Settings,
    engine: Engine,
    temporal_client: Client,
    start_api: StartApi,
) -> AsyncIterator[Journey]:
    secret = SecretStr("sk_test_local")
    api = start_api(stripe_secret_key=secret, stripe_api_base=stripe_url)
    settings = settings.model_copy(update={"stripe_secret_key": secret})
    gateway = StripeGateway(settings, engine, http_client=InProcessClient(local))
    slices = (
        SendingActivities(settings, engine, gateway),
        ReturnActivities(engine, gateway),
        ConnectActivities(engine, gateway),
    )
    prefix = settings.task_queue_prefix
    with ThreadPoolExecutor(4) as threads:
        workflows = Worker(
            temporal_client,
            task_queue=queue_name(Queue.WORKFLOWS, prefix=prefix),
            workflows=list(WORKFLOWS),
            workflow_runner=workflow_runner(),
        )
        money = Worker(
            temporal_client,
            task_queue=queue_name(Queue.MONEY, prefix=prefix),
            activities=[each for part in slices for each in part.on_queues()[Queue.MONEY]],
            activity_executor=threads,
        )
        async with workflows, money:
            people = make_people(engine)
            earner = Earner(engine, people.owner.user)
            yield Journey(api, people, earner, local, temporal_client)


async def test_from_the_first_link_to_the_bank_and_back(journey: Journey) -> None:
    opened = journey.creator.post(f"{ME}/payout-account", json={"country": "US"})
    assert opened.status_code == 200, opened.text
    assert opened.json()["onboarding_url"].startswith("http")
    assert opened.json()["payouts_enabled"] is False
    again = journey.creator.post(f"{ME}/payout-account", json={"country": "DE"})
    assert again.json()["country"] == "US"
    assert again.json()["onboarding_url"] != opened.json()["onboarding_url"]

    [account] = journey.local.scope().all("account")
    onboard(journey.local.scope(), account["id"])
    await watch_account(
        journey.temporal,
        journey.earner.id,
        queue_prefix=journey.api.settings.task_queue_prefix,
        event_type="account.updated",
        object_id=account["id"],
    )
    ready = await journey.until(f"{ME}/payout-account", lambda shown: shown["payouts_enabled"])
    assert (ready["requirements_due"], ready["currency"]) == ([], "USD")

    journey.earner.earn(12_000)
    client_of(journey.local).v1.topups.create(
        {"amount": 50_000, "currency": "usd", "description": "to pay out"}
    )
    wish = journey.creator.post(f"{ME}/payouts", json={}, headers={"idempotency-key": "k1"})
    assert wish.status_code == 202, wish.text
    payout_id = wish.json()["id"]
    await journey.until_state(payout_id, "review")
    assert journey.balance == {"available_minor": 0, "in_flight_minor": 12_000}

    admin = journey.client(journey.people.admin)
    assert admin.post(f"{ADMIN}/payouts/{payout_id}/approve", json={}).status_code == 200
    sent = await journey.until_state(payout_id, "in_transit")
    assert sent["amount_minor"] == 12_000

    journey.local.advance(3 * DAY_SECONDS)
    await journey.tell(payout_id, "payout.paid")
    await journey.until_state(payout_id, "paid")
    assert journey.balance == {"available_minor": 0, "in_flight_minor": 12_000}

    [bank] = journey.local.scope(account["id"]).all("payout")
    fail_payout(journey.local.scope(account["id"]), bank["id"])
    await journey.tell(payout_id, "payout.failed")
    back = await journey.until_state(payout_id, "returned")
    assert back["reason"] == "account_closed"
    assert journey.balance == {"available_minor": 12_000, "in_flight_minor": 0}
