"""Faults on demand: what can happen between a client and Stripe, for the next calls that match."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from devstack.stripe.errors import Refused

FaultKind = Literal["refused_before", "failed_after", "lost_before", "lost_after", "slow"]


@dataclass
class Fault:
    """`refused_before`: `status` (429 or 5xx) and nothing is executed; `failed_after`: executed,
    then a 5xx, which an idempotency key keeps as Stripe's does; `lost_before`, `lost_after`: the
    connection closes without an answer, before or after execution; `slow`: the answer comes after
    `seconds`, and its idempotency key is in use until then."""

    kind: FaultKind
    method: str = "*"
    path: str = ".*"
    """A regular expression that the whole path fits."""
    times: int = 1
    status: int = 500
    seconds: float = 0

    def fits(self, method: str, path: str) -> bool:
        return self.method in ("*", method) and re.fullmatch(self.path, path) is not None


class Faults:
    """Those that wait for their calls."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._met = 0

    def add(self, fault: Fault) -> None:
        self._waiting.append(fault)

    def clear(self) -> int:
        """Returns how many faults calls have met since the last time."""
        self._waiting.clear()
        met, self._met = self._met, 0
        return met

    def take(self, method: str, path: str) -> dict[FaultKind, Fault]:
        """The faults of this call, at most one of a kind; each is used up by one."""
        taken: dict[FaultKind, Fault] = {}
        for fault in self._waiting:
            if fault.kind not in taken and fault.fits(method, path):
                fault.times -= 1
                taken[fault.kind] = fault
        self._waiting = [fault for fault in self._waiting if fault.times > 0]
        self._met += len(taken)
        return taken


def refusal(status: int) -> Refused:
    """What Stripe says of its own troubles, in their shape."""
    if status == 429:
        return Refused(
            429,
            "Request rate limit exceeded. Learn more about rate limits here"
            " https://stripe.com/docs/rate-limits.",
            code="rate_limit",
            remembered=False,
        )
    return Refused(
        status,
        "An unknown error occurred on our end.",
        kind="api_error",
        remembered=False,
    )
