"""The client of the `stripe` package on a `LocalStripe` of the same process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

import stripe

from devstack.stripe.core import Answer, LocalStripe


class _Headers(Mapping[str, str]):
    """Headers by name, whatever its case (RFC 9110 §5.1)."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._values = {name.lower(): value for name, value in headers.items()}

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class InProcessClient(stripe.HTTPClient):
    """Sends each request by a call. Give it as `StripeClient(…, http_client=…)`.

    An answer that is lost raises `stripe.APIConnectionError`, as a closed connection does. One
    that is slow is so on Stripe's clock only, and is lost to a client that waits less.
    """

    name: ClassVar[str] = "in_process"

    def __init__(self, local: LocalStripe, *, timeout_seconds: float = 80) -> None:
        super().__init__()
        self._local = local
        self._timeout_seconds = timeout_seconds

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        answer = self._send(method, url, headers, post_data)
        return answer.body.decode(), answer.status, _Headers(answer.headers)

    async def request_async(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        post_data: Any = None,
    ) -> tuple[bytes, int, Mapping[str, str]]:
        answer = self._send(method, url, headers, post_data)
        return answer.body, answer.status, _Headers(answer.headers)

    def _send(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any
    ) -> Answer:
        parts = urlsplit(url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        body = post_data.encode() if isinstance(post_data, str) else (post_data or b"")
        answer = self._local.handle(method.upper(), path, headers or {}, body)
        if answer.lost:
            raise _unanswered("The connection was closed without an answer.")
        if answer.delay_seconds > self._timeout_seconds:
            raise _unanswered("No answer came in time.")
        return answer

    def close(self) -> None:
        """There is nothing to close."""

    async def close_async(self) -> None:
        """There is nothing to close."""


def _unanswered(said: str) -> stripe.APIConnectionError:
    return stripe.APIConnectionError(said)  # type: ignore[no-untyped-call]  # As they have it.


def client_of(
    local: LocalStripe, *, secret_key: str = "sk_test_local", **options: Any
) -> stripe.StripeClient:
    """A client that never repeats a request by itself."""
    return stripe.StripeClient(
        secret_key, http_client=InProcessClient(local), max_network_retries=0, **options
    )
