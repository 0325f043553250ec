"""An unlock, from the request to the right, against an empty run with as many steps.

All are asked one at a time and in turn, on one stack: ours decides access, writes the purchase,
charges the local Stripe over loopback, posts the ledger and gives the right; the peer does
nothing (`benchmarks/empty_run.py`), once behind a route that knows its caller, as ours does, and
once asked by the client itself. The goal is about the time from the request to the right, which
the database tells of as it is given; what follows until the answer has a row of its own.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx2 as httpx
import stripe
from rich.console import Console
from sqlalchemy import Engine
from temporalio.client import Client

from benchmarks.empty_run import run_once
from benchmarks.result import Result, compare
from benchmarks.rights import RightsHeard
from benchmarks.unlock_parts import spent, told_of
from devstack.people import ensure_person
from devstack.running import running_stack
from devstack.stack import ROOT, settings_from
from domain.accounts import Role
from domain.ids import unlock_workflow_id
from infra.db import make_engine, transaction
from infra.ids import new_id
from infra.models import Post
from infra.queries.payment_methods.setups import keep_card, keep_customer
from infra.settings import Settings
from infra.stripe import StripeGateway
from infra.temporal import connect

CALLS = 30
"""In one round."""
WARM = 10
START_SECONDS = 30
GOAL = 1.5
PAUSE_SECONDS = 0.2
"""After each call, for what it leaves behind: the end of the run, webhooks. Without it Temporal's
development server takes a tenth of a second longer for any run, which hides what is ours."""
PRICE_MINOR, CURRENCY = 999, "USD"
PRICE = {"price_minor": PRICE_MINOR, "currency": CURRENCY}
BY_ROUTE = "an unlock, from the request to the right, against an empty run behind a route"
BY_CLIENT = "an unlock, from the request to the right, against an empty run asked directly"
ANSWERED = "an unlock, from the request to its answer, against an empty run behind a route"
IN_A_ROW = "unlocks without a pause between them, against empty runs behind a route"


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
        card = _give_card(settings, engine, fan.id)
        http = stack.enter_context(
            httpx.Client(headers={"authorization": f"Bearer {fan.token}"}, timeout=30)
        )
        loop = stack.enter_context(asyncio.Runner())
        temporal = loop.run(connect(settings))
        rights = RightsHeard(settings, fan.id)
        stack.callback(rights.close)
        ours = _Unlocks(
            http, settings.api_public_url, engine, rights, fan_id=fan.id, seller_id=creator.id
        )
        routed = _EmptyRuns(http, peer_url)
        direct = _DirectRuns(loop, temporal)
        charged = _Payments(card)
        spaced, close = _measure(rounds, (ours, routed, direct, charged))
        parts = {
            side: told_of(loop.run(spent(temporal, by_run)))
            for side, by_run in ((each, _last_runs(spaced[each])) for each in (ours, routed))
        }
    to_right = f"ours {_told(spaced[ours], _given)} (in the step the local Stripe, "
    to_right += f"{_told(spaced[charged])}); peer "
    to_answer = f"ours {_told(spaced[ours])} ({parts[ours]}); peer "
    rows = (
        (BY_ROUTE, spaced, _given, routed, f"{to_right}{_told(spaced[routed])}"),
        (BY_CLIENT, spaced, _given, direct, f"{to_right}{_told(spaced[direct])}"),
        (
            ANSWERED,
            spaced,
            _answered,
            routed,
            f"{to_answer}{_told(spaced[routed])} ({parts[routed]})",
        ),
        (
            IN_A_ROW,
            close,
            _given,
            routed,
            f"ours {_told(close[ours], _given)}; peer {_told(close[routed])}",
        ),
    )
    return [
        compare(
            name,
            ours=_medians(times[ours], what),
            peer=_medians(times[peer]),
            unit="ms",
            at_most=GOAL,
            note=note,
        )
        for name, times, what, peer, note in rows
    ]


@dataclass(frozen=True, slots=True)
class _Timed:
    """One call, until its answer; `run` is the id of the run that it started."""

    ms: float
    run: str
    given_ms: float | None = None
    """Until the right was there that was asked for."""


def _answered(timed: _Timed) -> float:
    return timed.ms


def _given(timed: _Timed) -> float:
    assert timed.given_ms is not None, "this side gives rights"
    return timed.given_ms


Times = dict["_Calls", list[list[_Timed]]]
"""By side and by round."""


def _measure(rounds: int, sides: Sequence[_Calls]) -> tuple[Times, Times]:
    """With pauses, all sides; then in a row, ours (the first) and its peer (the second)."""
    spaced: Times = {side: [] for side in sides}
    close: Times = {side: [] for side in sides[:2]}
    _spaced(sides, WARM)
    for number in range(rounds):
        for side, times in _spaced(sides, CALLS).items():
            spaced[side].append(times)
        for side in sides[:2] if number % 2 == 0 else reversed(sides[:2]):
            side.prepare(CALLS)
            close[side].append([side.timed() for _ in range(CALLS)])
            time.sleep(PAUSE_SECONDS)
    return spaced, close


def _spaced(sides: Sequence[_Calls], count: int) -> dict[_Calls, list[_Timed]]:
    """The sides in turn, one call each, so that whatever else the machine does hits them alike;
    every second time they go the other way round."""
    times: dict[_Calls, list[_Timed]] = {side: [] for side in sides}
    for side in sides:
        side.prepare(count)
    for number in range(count):
        for side in sides if number % 2 == 0 else reversed(sides):
            times[side].append(side.timed())
            time.sleep(PAUSE_SECONDS)
    return times


def _medians(
    times: Sequence[Sequence[_Timed]], what: Callable[[_Timed], float] = _answered
) -> list[float]:
    return [statistics.median(map(what, one_round)) for one_round in times]


def _told(times: Sequence[Sequence[_Timed]], what: Callable[[_Timed], float] = _answered) -> str:
    cuts = statistics.quantiles([what(each) for one_round in times for each in one_round], n=100)
    return f"p50 {cuts[49]:.0f} ms, p99 {cuts[98]:.0f} ms"


def _last_runs(times: Sequence[Sequence[_Timed]]) -> dict[str, float]:
    return {each.run: each.ms for each in times[-1]}


class _Calls:
    """One side, which is asked again and again."""

    def prepare(self, count: int) -> None:
        """What that many calls need, made outside of their time."""

    def call(self) -> str:
        """Once, to its end; the id of the run that it started, empty where there is none."""
        raise NotImplementedError

    def timed(self) -> _Timed:
        begun = time.perf_counter()
        run = self.call()
        return _Timed((time.perf_counter() - begun) * 1000, run)


class _Unlocks(_Calls):
    """Ours: sold by the API's process, charged by a worker's."""

    def __init__(
        self,
        client: httpx.Client,
        url: str,
        engine: Engine,
        rights: RightsHeard,
        *,
        fan_id: str,
        seller_id: str,
    ) -> None:
        self._client, self._url, self._engine = client, url, engine
        self._rights = rights
        self._fan_id, self._seller_id = fan_id, seller_id
        self._posts: list[str] = []

    def prepare(self, count: int) -> None:
        self._posts = [_write_post(self._engine, self._seller_id) for _ in range(count)]

    def timed(self) -> _Timed:
        self._rights.forget()
        begun = time.perf_counter()
        answered = super().timed()
        return replace(answered, given_ms=(self._rights.wait() - begun) * 1000)

    def call(self) -> str:
        post_id = self._posts.pop()
        answer = self._client.post(
            f"{self._url}/api/v1/posts/{post_id}/unlock",
            json=PRICE,
            headers={"idempotency-key": new_id()},
        )
        if answer.status_code != 200 or answer.json()["state"] != "unlocked":
            raise RuntimeError(answer.text)
        return unlock_workflow_id(self._fan_id, post_id)


class _EmptyRuns(_Calls):
    """The peer that the goal is held against: behind a route that knows its caller."""

    def __init__(self, client: httpx.Client, url: str) -> None:
        self._client, self._url = client, url

    def call(self) -> str:
        answer = self._client.post(f"{self._url}/run")
        if answer.status_code != 200 or answer.json()["state"] != "done":
            raise RuntimeError(answer.text)
        return str(answer.json()["run"])


class _DirectRuns(_Calls):
    """The same run, asked of Temporal without any HTTP of ours."""

    def __init__(self, loop: asyncio.Runner, client: Client) -> None:
        self._loop, self._client = loop, client

    def call(self) -> str:
        said, run = self._loop.run(run_once(self._client))
        if said != "done":
            raise RuntimeError(said)
        return run


class _Payments(_Calls):
    """What the local Stripe takes for the one request that an unlock sends it. It stays in ours:
    the real one takes longer."""

    def __init__(self, card: _Card) -> None:
        self._card = card

    def call(self) -> str:
        paid = self._card.stripe.v1.payment_intents.create(
            {
                "amount": PRICE_MINOR,
                "currency": CURRENCY.lower(),
                "customer": self._card.customer_id,
                "payment_method": self._card.method_id,
                "allowed_payment_method_types": ["card"],
                "capture_method": "automatic",
                "confirm": True,
                "expand": ["latest_charge.balance_transaction"],
            }
        )
        if paid.status != "succeeded":
            raise RuntimeError(paid.status)
        return ""


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


@dataclass(frozen=True, slots=True)
class _Card:
    """The fan's, as Stripe knows it."""

    stripe: stripe.StripeClient
    customer_id: str
    method_id: str


def _give_card(settings: Settings, engine: Engine, fan_id: str) -> _Card:
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
    return _Card(browser, customer.id, card.id)


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
