"""`traceparent` as W3C Trace Context has it."""

from __future__ import annotations

import pytest

from domain.tracing import Trace, continue_trace

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
NEW_TRACE, NEW_SPAN = "a" * 32, "b" * 16
MADE = f"00-{NEW_TRACE}-{NEW_SPAN}-00"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{NEW_SPAN}-01"),
        (f"00-{TRACE}-{PARENT}-00", f"00-{TRACE}-{NEW_SPAN}-00"),
        (f"cc-{TRACE}-{PARENT}-01-what-comes", f"00-{TRACE}-{NEW_SPAN}-01"),
        (f"00-{TRACE}-{PARENT}-01-more", MADE),
        (f"ff-{TRACE}-{PARENT}-01", MADE),
        (f"00-{'0' * 32}-{PARENT}-01", MADE),
        (f"00-{TRACE}-{'0' * 16}-01", MADE),
        (f"00-{TRACE.upper()}-{PARENT}-01", MADE),
        (f"00-{TRACE}-{PARENT}", MADE),
        ("", MADE),
        (None, MADE),
    ],
)
def test_a_valid_trace_is_gone_on_with_and_any_other_begun_anew(
    given: str | None, expected: str
) -> None:
    assert continue_trace(given, new_trace_id=NEW_TRACE, new_span_id=NEW_SPAN) == expected


def test_a_trace_is_found_by_its_id() -> None:
    assert Trace("request-1", f"00-{TRACE}-{PARENT}-01").trace_id == TRACE
