"""A client of Stripe's package that answers from a script, and keeps what it was asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import stripe

Json = dict[str, Any]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECONDS = int(NOW.timestamp())


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    params: dict[str, str]
    headers: Mapping[str, str]

    @property
    def key(self) -> str | None:
        return self.headers.get("Idempotency-Key")


@dataclass(frozen=True)
class Answer:
    status: int
    body: Json | str
    headers: Mapping[str, str] = field(default_factory=dict)


class Lost(Exception):
    """The connection broke after the request had been sent."""


class Refused(Exception):
    """There was no connection at all."""


Step = Answer | Json | Lost | Refused | Callable[[Asked], Answer]


class CannedStripe(stripe.HTTPClient):
    """Takes the next step of the script for each request; one that is not in it fails the
    test."""

    name = "canned"

    def __init__(self, *script: Step) -> None:
        super().__init__()
        self.script = list(script)
        self.asked: list[Asked] = []

    @property
    def keys(self) -> list[str]:
        return [each.key for each in self.asked if each.key is not None]

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        address = urlsplit(url)
        query = post_data if isinstance(post_data, str) else address.query
        asked = Asked(
            method, address.path, dict(parse_qsl(query, keep_blank_values=True)), headers or {}
        )
        self.asked.append(asked)
        assert self.script, f"nothing was to be asked, but {method} {url} was"
        step = self.script.pop(0)
        if isinstance(step, Lost):
            raise stripe.APIConnectionError("lost")  # type: ignore[no-untyped-call]
        if isinstance(step, Refused):
            self._refuse()
        if callable(step):
            step = step(asked)
        answer = step if isinstance(step, Answer) else Answer(200, step)  # type: ignore[arg-type]
        body = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        return body, answer.status, answer.headers

    def _refuse(self) -> None:
        try:
            raise ConnectionRefusedError(111, "refused")
        except ConnectionRefusedError as error:
            raise stripe.APIConnectionError("no way there") from error  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Nothing is open."""


def failure(status: int, **error: object) -> Answer:
    return Answer(status, {"error": {"message": "No.", **error}})


def refund(name: str = "re_1", **fields: object) -> Json:
    return {
        "id": name,
        "object": "refund",
        "status": "succeeded",
        "amount": 500,
        "currency": "usd",
        "charge": "ch_1",
        "payment_intent": "pi_1",
        "created": SECONDS,
        "balance_transaction": "txn_1",
        "metadata": {},
        **fields,
    }


def intent(name: str = "pi_1", **fields: object) -> Json:
    return {
        "id": name,
        "object": "payment_intent",
        "status": "succeeded",
        "amount": 1000,
        "currency": "usd",
        "customer": "cus_1",
        "payment_method": "pm_1",
        "client_secret": f"{name}_secret",
        "created": SECONDS,
        "last_payment_error": None,
        "latest_charge": "ch_1",
        "next_action": None,
        "metadata": {},
        **fields,
    }


def listed(*objects: Json, has_more: bool = False) -> Json:
    return {"object": "list", "data": list(objects), "has_more": has_more}
