"""Codes of authenticator apps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from infra.totp import (
    SECRET_BYTES,
    STEP_SECONDS,
    code_at,
    new_secret,
    otpauth_uri,
    secret_text,
    step_of,
)

SECRET = b"12345678901234567890"
NOW = datetime(2026, 5, 1, 12, 0, 10, tzinfo=UTC)
STEP = timedelta(seconds=STEP_SECONDS)
NOW_STEP = int(NOW.timestamp()) // STEP_SECONDS


@pytest.mark.parametrize(
    ("unix_seconds", "eight_digits"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_codes_are_those_of_rfc_6238_appendix_b(unix_seconds: int, eight_digits: str) -> None:
    """The RFC lists eight digits; six are its last ones (RFC 4226 §5.3)."""
    now = datetime.fromtimestamp(unix_seconds, UTC)
    code = eight_digits[-6:]
    assert code_at(SECRET, now) == code
    assert step_of(SECRET, code, now=now, after=None) == unix_seconds // STEP_SECONDS


@pytest.mark.parametrize(
    ("offset", "step"), [(-2, None), (-1, -1), (0, 0), (1, 1), (2, None), (100, None)]
)
def test_a_code_of_the_step_before_or_after_counts_and_no_other(
    offset: int, step: int | None
) -> None:
    code = code_at(SECRET, NOW + offset * STEP)
    found = step_of(SECRET, code, now=NOW, after=None)
    assert found == (None if step is None else NOW_STEP + step)


def test_neither_the_code_that_was_taken_nor_an_earlier_one_counts_again() -> None:
    before, current, later = (code_at(SECRET, NOW + offset * STEP) for offset in (-1, 0, 1))
    assert step_of(SECRET, current, now=NOW, after=NOW_STEP) is None
    assert step_of(SECRET, before, now=NOW, after=NOW_STEP) is None
    assert step_of(SECRET, later, now=NOW, after=NOW_STEP) == NOW_STEP + 1
    assert step_of(SECRET, before, now=NOW, after=NOW_STEP - 2) == NOW_STEP - 1


@pytest.mark.parametrize("code", ["", "0", "287082x", "٢٨٧٠٨٢", "000000"])
def test_other_text_is_no_code(code: str) -> None:
    assert step_of(SECRET, code, now=datetime.fromtimestamp(59, UTC), after=None) is None


def test_the_first_step_of_all_has_none_before_it() -> None:
    start = datetime.fromtimestamp(0, UTC)
    assert step_of(SECRET, code_at(SECRET, start), now=start, after=None) == 0


def test_an_app_learns_all_it_needs_from_the_address() -> None:
    parts = urlsplit(otpauth_uri(SECRET, account="mia@example.com"))
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert parts.path == "/fansworld:mia%40example.com"
    asked = parse_qs(parts.query)
    assert asked["secret"] == [secret_text(SECRET)]
    assert asked["issuer"] == ["fansworld"]


def test_secrets_are_long_and_never_the_same() -> None:
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert {len(secret) for secret in made} == {SECRET_BYTES}
