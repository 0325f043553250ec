"""An unlock, from the request to the right, against an empty run with as many steps.

Both are asked over HTTP, one at a time and in turn, on one stack: ours decides access, writes the
purchase, charges the local Stripe over loopback, posts the ledger and gives the right; the peer
does nothing (`benchmarks/empty_run.py`).
"""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx2 as httpx
import stripe
from rich.console import Console
from sqlalchemy import Engine

from benchmarks.result import Result, compare, in_turn
from devstack.people import ensure_person
from devstack.running import running_stack
from devstack.stack import ROOT, settings_from
from domain.accounts import Role
from infra.db import make_engine, transaction
from infra.ids import new_id
from infra.models import Post
from infra.queries.payment_methods.setups import keep_card, keep_customer
from infra.settings import Settings
from infra.stripe import StripeGateway

UNLOCKS = 40
"""In one round."""
WARM = 10
START_SECONDS = 30
PRICE = {"price_minor": 999, "currency": "USD"}


def run(rounds: int) -> list[Result]:
    with ExitStack() as stack:
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="fansworld-unlocks-", ignore_cleanup_errors=True)
        )
        limits = {"RATE_LIMIT_API_PER_MINUTE": "1000000000", "LOG_LEVEL": "WARNING"}
        _, environment = stack.enter_context(
            running_stack(Path(folder), Console(quiet=True), environ=limits)
        )
        settings = settings_from(environment)
        peer_url = stack.enter_context(_peer(environment))
        engine = make_engine(settings)
        stack.callback(engine.dispose)
        fan = ensure_person(settings, "bench-fan", Role.FAN)
        creator = ensure_person(settings, "bench-seller", Role.CREATOR)
        _give_card(settings, engine, fan.id)
        client = stack.enter_context(
            httpx.Client(headers={"authorization": f"Bearer {fan.token}"}, timeout=30)
        )
        ours = _Unlocks(client, settings.api_public_url, engine, creator.id)
        peer = _EmptyRuns(client, peer_url)
        ours.median_ms(WARM)
        peer.median_ms(WARM)
        times = in_turn(rounds, lambda: ours.median_ms(UNLOCKS), lambda: peer.median_ms(UNLOCKS))
    note = f"ours {ours.told()}; peer {peer.told()}"
    return [
        compare(
            "an unlock, from the request to the right, against an empty run with one step",
            ours=times[0],
            peer=times[1],
            unit="ms",
            at_most=1.5,
            note=note,
        )
    ]


class _Calls:
    """Requests one after the other, and how long each took."""

    def __init__(self) -> None:
        self.spent_ms: list[float] = []

    def call(self) -> None:
        raise NotImplementedError

    def median_ms(self, count: int) -> float:
        spent = []
        for _ in range(count):
            begun = time.perf_counter()
            self.call()
            spent.append((time.perf_counter() - begun) * 1000)
        self.spent_ms += spent
        return statistics.median(spent)

    def told(self) -> str:
        cuts = statistics.quantiles(self.spent_ms, n=100)
        return f"p50 {cuts[49]:.0f} ms, p99 {cuts[98]:.0f} ms"


class _Unlocks(_Calls):
    def __init__(self, client: httpx.Client, url: str, engine: Engine, creator_id: str) -> None:
        super().__init__()
        self._client, self._url, self._engine = client, url, engine
        self._creator_id = creator_id
        self._posts: list[str] = []

    def median_ms(self, count: int) -> float:
        self._posts = [_write_post(self._engine, self._creator_id) for _ in range(count)]
        return super().median_ms(count)

    def call(self) -> None:
        answer = self._client.post(
            f"{self._url}/api/v1/posts/{self._posts.pop()}/unlock",
            json=PRICE,
            headers={"idempotency-key": new_id()},
        )
        if answer.status_code != 200 or answer.json()["state"] != "unlocked":
            raise RuntimeError(answer.text)


class _EmptyRuns(_Calls):
    def __init__(self, client: httpx.Client, url: str) -> None:
        super().__init__()
        self._client, self._url = client, url

    def call(self) -> None:
        answer = self._client.post(f"{self._url}/run")
        if answer.status_code != 200 or answer.json()["state"] != "done":
            raise RuntimeError(answer.text)


def _write_post(engine: Engine, creator_id: str) -> str:
    now = datetime.now(UTC)
    post = Post(
        id=new_id(),
        creator_id=creator_id,
        state="published",
        audience="paid",
        body="For sale",
        published_at=now,
        **PRICE,
    )
    with transaction(engine) as session:
        session.add(post)
    return post.id


def _give_card(settings: Settings, engine: Engine, fan_id: str) -> None:
    """As if the fan had entered Stripe's test card in their browser."""
    now = datetime.now(UTC)
    gateway = StripeGateway(settings, engine)
    customer = gateway.create_customer(key=f"customer:{fan_id}:create:1", op_id=fan_id, at=now)
    assert settings.stripe_secret_key is not None, "the stack brings a Stripe"
    browser = stripe.StripeClient(
        settings.stripe_secret_key.get_secret_value(),
        base_addresses={"api": settings.stripe_api_base},
    )
    attached = browser.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    card = gateway.retrieve_payment_method(attached.id)
    gateway.close()
    with transaction(engine) as session:
        keep_customer(session, fan_id=fan_id, customer_id=customer.id, at=now)
        keep_card(session, card, fan_id=fan_id, at=now)


@contextmanager
def _peer(environment: Mapping[str, str]) -> Iterator[str]:
    """Its route and its worker, a process each, as ours are."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "benchmarks.empty_run"]
    processes = [
        subprocess.Popen([*command, *arguments], env=dict(environment), cwd=ROOT)
        for arguments in (["work"], ["serve", str(port)])
    ]
    try:
        _wait_for(port, processes)
        yield f"http://127.0.0.1:{port}"
    finally:
        for process in processes:
            process.kill()  # It keeps nothing.
        for process in processes:
            process.wait(timeout=30)


def _wait_for(port: int, processes: Sequence[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if any(each.poll() is not None for each in processes) or time.monotonic() > deadline:
                raise RuntimeError("the peer did not start") from None
            time.sleep(0.1)
