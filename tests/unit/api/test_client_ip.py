"""Whose `X-Forwarded-For` is believed, and how far."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from api.clients import client_ip
from tests.unit.api.test_tokens_unit import SEED, settings

PROXIES = ("10.0.0.0/8", "2001:db8::1")


def request(peer: str | None, *forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", each.encode()) for each in forwarded]
    client = (peer, 1234) if peer is not None else None
    return Request({"type": "http", "headers": headers, "client": client})


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1, 10.2.3.4"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1", "198.51.100.1,10.2.3.4"], "198.51.100.1"),
        ("10.0.0.1", ["10.9.9.9, 10.2.3.4"], "10.9.9.9"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, garbage, 10.2.3.4"], "10.2.3.4"),
        ("2001:db8::1", ["2001:DB8:0:0::2"], "2001:db8::2"),
        ("::ffff:10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("fe80::1%eth0", [], "fe80::1"),
        (None, ["198.51.100.1"], ""),
        ("/run/api.sock", [], ""),
    ],
)
def test_the_client_is_the_rightmost_hop_that_is_no_proxy(
    peer: str | None, forwarded: list[str], expected: str
) -> None:
    believed = settings(SEED).model_copy(update={"trusted_proxies": PROXIES})
    assert client_ip(request(peer, *forwarded), believed) == expected


def test_nobody_is_believed_without_trusted_proxies() -> None:
    assert client_ip(request("10.0.0.1", "198.51.100.1"), settings(SEED)) == "10.0.0.1"
