"""`LocalStripe`: one request in, one answer out. No sockets and no wall clock."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from devstack.stripe import resources, webhooks
from devstack.stripe.answers import expanded, shown
from devstack.stripe.checking import checked
from devstack.stripe.control import carry_out
from devstack.stripe.errors import Obj, Refused
from devstack.stripe.faults import Fault, FaultKind, Faults, refusal
from devstack.stripe.forms import decode
from devstack.stripe.idempotency import keep, kept_answer
from devstack.stripe.pages import page_for
from devstack.stripe.routes import Route, find
from devstack.stripe.store import PLATFORM, Store
from devstack.stripe.webhooks import Delivery
from devstack.stripe.world import API_VERSION, Config, Request, Scope, World

__all__ = ["Answer", "LocalStripe"]

assert resources.ALL, "the routes are registered by the modules of the resources"


@dataclass(frozen=True)
class Answer:
    """What the client gets; nothing at all where it is `lost`."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    lost: bool = False
    """The connection closes instead."""
    delay_seconds: float = 0
    """How long the client waits for it."""


F = TypeVar("F", bound=Callable[..., Any])


def _in_turn(method: F) -> F:
    """One call at a time, whichever thread it comes from."""

    @functools.wraps(method)
    def waits(self: LocalStripe, *args: Any, **options: Any) -> Any:
        with self._turn:
            return method(self, *args, **options)

    return cast(F, waits)


class LocalStripe:
    """A Stripe account in test mode, with its connected accounts.

    `now` is its clock, in Unix seconds: it stands still until `advance` or `move_to`. Threads may
    share it: what they ask is done one after the other.
    """

    def __init__(
        self,
        *,
        now: int,
        seed: str,
        config: Config | None = None,
        path: Path | None = None,
    ) -> None:
        """The Stripe that `path` keeps, or an empty one.

        Args:
            seed: where all ids come from. Two of the same seed make the same ids, so that they
                must not serve the same database.
            path: a SQLite file; without one the state lives in memory only.
        """
        self._world = World(Store(path), seed, now, config or Config())
        self.faults = Faults()
        self._turn = threading.RLock()
        if self._world.config.endpoints:
            webhooks.configure(self._world, self._world.config.endpoints)
        self._commit()

    # --- the clock -----------------------------------------------------------------------

    @property
    def now(self) -> int:
        return self._world.now

    @_in_turn
    def advance(self, seconds: int) -> None:
        """Let time pass; what falls due on the way happens in its order."""
        self.move_to(self.now + seconds)

    @_in_turn
    def move_to(self, now: int) -> None:
        """Let the clock reach `now`.

        Raises:
            ValueError: when that is past.
        """
        self._world.request = Request()
        self._world.move_to(now)
        self._commit()

    # --- requests ------------------------------------------------------------------------

    @_in_turn
    def handle(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Answer:
        """Carry out one request of Stripe's API.

        Args:
            path: with its query, without scheme and host.
        """
        url = urlsplit(path)
        call = _Call(method, url.path, url.query, {n.lower(): v for n, v in headers.items()}, body)
        taken = self.faults.take(method, url.path)
        request_id = self._world.new_id("req")
        key = call.headers.get("idempotency-key") if method == "POST" else None
        self._world.request = Request(request_id, key)
        if "lost_before" in taken:
            return Answer(0, lost=True)
        delay = taken["slow"].seconds if "slow" in taken else 0
        if "refused_before" in taken:
            answer = self._refusal(refusal(taken["refused_before"].status))
        else:
            answer = self._execute(call, taken)
        self._commit()
        self._world.request = Request()
        return Answer(
            answer.status,
            {**_common_headers(request_id, key), **answer.headers},
            answer.body,
            lost="lost_after" in taken,
            delay_seconds=delay,
        )

    def _execute(self, call: _Call, taken: Mapping[FaultKind, Fault]) -> Answer:
        try:
            scope = self._scope(call.headers)
            found, ids = find(call.method, call.path)
            raw = decode(call.query if call.method in ("GET", "DELETE") else call.body.decode())
            key = self._world.request.idempotency_key
            if key is not None:
                kept = kept_answer(scope, key, path=call.path, params=raw)
                if kept is not None:
                    repeated = {
                        "Idempotent-Replayed": "true",
                        "Original-Request": kept["request"],
                    }
                    return _answer(kept["status"], kept["body"], repeated)
            params = checked(found.params, raw)
        except Refused as refused:
            return self._refusal(refused)
        status, body, remembered = self._carry_out(scope, found, ids, params)
        if "failed_after" in taken:
            failure = refusal(taken["failed_after"].status)
            status, body, remembered = failure.status, {"error": failure.error}, True
        if key is not None and remembered:
            busy = taken["slow"].seconds if "slow" in taken else 0
            keep(
                scope,
                key,
                path=call.path,
                params=raw,
                status=status,
                body=body,
                busy_seconds=busy,
            )
        return _answer(status, body)

    def _carry_out(
        self, scope: Scope, found: Route, ids: tuple[str, ...], params: Obj
    ) -> tuple[int, Obj, bool]:
        try:
            result = found.handler(scope, params, *ids)
            body = expanded(scope, shown(scope, result), params.get("expand", []))
        except Refused as refused:
            return refused.status, {"error": refused.error}, refused.remembered
        return 200, body, True

    def _scope(self, headers: Mapping[str, str]) -> Scope:
        """The account that is asked: the platform, or the one of the `Stripe-Account` header.

        Raises:
            Refused: 401 for a wrong key, 403 for an account that the key has no access to.
        """
        key = headers.get("authorization", "").removeprefix("Bearer ")
        expected = self._world.config.secret_key
        if not key.startswith("sk_test_") or (expected is not None and key != expected):
            said = f"{key[:8]}{'*' * 8}{key[-4:]}"
            raise Refused(401, f"Invalid API Key provided: {said}", remembered=False)
        account = headers.get("stripe-account", PLATFORM)
        if account and self._world.store.get(PLATFORM, "account", account) is None:
            raise Refused(
                403,
                f"The provided key '{key[:8]}***' does not have access to account '{account}' (or"
                " that account does not exist). Application access may have been revoked.",
                code="account_invalid",
                remembered=False,
            )
        return self._world.scope(account)

    def _refusal(self, refused: Refused) -> Answer:
        return _answer(refused.status, {"error": refused.error})

    # --- webhooks ------------------------------------------------------------------------

    @_in_turn
    def due_deliveries(self, *, signed_at: int | None = None) -> list[Delivery]:
        """The webhooks that are due now, oldest first; they stay due until `delivered`.

        Args:
            signed_at: when they are sent by the clock of who takes them; None: by this one.
        """
        return list(webhooks.due(self._world, signed_at=signed_at))

    @_in_turn
    def delivered(self, delivery_id: str, status: int) -> None:
        """Report how an attempt was answered; 0 for not at all."""
        webhooks.report(self._world, delivery_id, status)
        self._commit()

    # --- what only the control routes and tests do ----------------------------------------

    @_in_turn
    def control(self, name: str, **arguments: Any) -> Obj:
        """Make happen what `control.py` names: "onboard", "dispute", "fail_payout", …

        Raises:
            Refused: when it can't be as things are.
        """
        try:
            done: Obj = shown(self.scope(), carry_out(self, name, arguments))
        finally:
            self._commit()
        return done

    def answer_control(self, name: str, arguments: Mapping[str, Any]) -> Answer:
        """`control` over HTTP."""
        headers = {"Content-Type": "application/json"}
        try:
            return _answer(200, self.control(name, **arguments), headers)
        except Refused as refused:
            return _answer(refused.status, {"error": refused.error}, headers)

    @_in_turn
    def page(self, method: str, path: str, body: bytes = b"") -> Answer:
        """A page that a buyer or a creator sees, or what follows from its button."""
        status, location, html = page_for(self, method, path, body)
        self._commit()
        headers = {"Content-Type": "text/html; charset=utf-8"}
        if location:
            headers["Location"] = location
        return Answer(status, headers, html.encode())

    def scope(self, account: str = PLATFORM) -> Scope:
        """The state of an account, to look at."""
        return self._world.scope(account)

    @_in_turn
    def close(self) -> None:
        """Write what is left to the file, and close it."""
        self._world.store.close()

    def _commit(self) -> None:
        self._world.remember()
        self._world.store.flush()


@dataclass(frozen=True)
class _Call:
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


def _answer(status: int, body: Obj, headers: dict[str, Any] | None = None) -> Answer:
    return Answer(status, headers or {}, json.dumps(body, indent=2).encode())


def _common_headers(request_id: str, key: str | None) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "Request-Id": request_id,
        "Stripe-Version": API_VERSION,
    }
    return headers if key is None else {**headers, "Idempotency-Key": key}
