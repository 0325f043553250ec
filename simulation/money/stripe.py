"""The way to Stripe and back: a clock that goes along, calls that are lost, webhooks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

import orjson

from devstack.stripe.core import Answer, LocalStripe
from devstack.stripe.faults import Fault, FaultKind
from devstack.stripe.inprocess import InProcessClient
from simulation.temporal import VirtualClock, WorkerKilled

DEATHS = ("die_before", "die_after")
"""Of the worker that calls: before Stripe has heard, or before the worker has the answer."""
LOCAL: tuple[FaultKind, ...] = ("lost_before", "lost_after", "refused_before", "failed_after")
FAULTS = (*DEATHS, *LOCAL)

SECRET_KEY = "sk_test_simulated"


class WayToStripe(InProcessClient):
    """What the gateway's client sends its requests by."""

    def __init__(self, local: LocalStripe, clock: VirtualClock, counts: Counter[str]) -> None:
        super().__init__(local)
        self.stripe = local
        self._clock, self._counts = clock, counts
        self._armed: tuple[str, int] | None = None

    def arm(self, fault: str | None, calls_before: int = 0) -> None:
        """Have the fault befall a call after so many that go well; None: none any more."""
        self._armed = None if fault is None else (fault, calls_before)

    def keep_time(self) -> None:
        """Stripe's clock shows what ours shows."""
        self.stripe.move_to(max(self.stripe.now, int(self._clock.now.timestamp())))

    def _send(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any
    ) -> Answer:
        self.keep_time()
        fault = self._due()
        if fault == "die_before":
            raise WorkerKilled
        if fault in LOCAL:
            self.stripe.faults.add(Fault(kind=fault))
        answer = super()._send(method, url, headers, post_data)
        if fault == "die_after":
            raise WorkerKilled
        return answer

    def _due(self) -> str | None:
        if self._armed is None:
            return None
        fault, calls_before = self._armed
        if calls_before:
            self._armed = (fault, calls_before - 1)
            return None
        self._armed = None
        self._counts[f"stripe: {fault}"] += 1
        return fault


class Browser:
    """What a fan's browser tells Stripe by itself. No fault befalls it."""

    def __init__(self, way: WayToStripe) -> None:
        self._way = way

    @property
    def stripe(self) -> LocalStripe:
        return self._way.stripe

    def post(self, path: str, body: str) -> tuple[int, dict[str, Any]]:
        self._way.keep_time()
        headers = {"Authorization": f"Bearer {SECRET_KEY}"}
        answer = self._way.stripe.handle("POST", path, headers, body.encode())
        return answer.status, cast(dict[str, Any], orjson.loads(answer.body))
