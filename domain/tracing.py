"""Which request something is done for: its id, and its place in a trace (W3C Trace Context)."""

from __future__ import annotations

import re
from dataclasses import dataclass

TRACE_HEADERS = ("request-id", "traceparent")
"""Names under which runs carry the two."""

_TRACEPARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<parent>[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
_VERSION = "00"
_NOT_SAMPLED = "00"


@dataclass(frozen=True, slots=True)
class Trace:
    request_id: str
    traceparent: str
    """Its parent id names this request."""

    @property
    def trace_id(self) -> str:
        return self.traceparent.split("-")[1]

    @property
    def span_id(self) -> str:
        return self.traceparent.split("-")[2]


def continue_trace(given: str | None, *, new_trace_id: str, new_span_id: str) -> str:
    """`traceparent` for what a request does: in the client's trace, or in a new one.

    A header that breaks the rules is as good as none (W3C Trace Context §3.2.2); of a later
    version the part that this one knows is read.
    """
    found = parse_traceparent(given or "")
    if found is None:
        return f"{_VERSION}-{new_trace_id}-{new_span_id}-{_NOT_SAMPLED}"
    trace_id, _, flags = found
    return f"{_VERSION}-{trace_id}-{new_span_id}-{flags:02x}"


def parse_traceparent(given: str) -> tuple[str, str, int] | None:
    """Trace id, parent's id and flags; None for what breaks the rules."""
    match = _TRACEPARENT.fullmatch(given)
    if match is None or not _is_valid(match):
        return None
    return match["trace"], match["parent"], int(match["flags"], 16)


def _is_valid(match: re.Match[str]) -> bool:
    return (
        match["version"] != "ff"
        and set(match["trace"]) != {"0"}
        and set(match["parent"]) != {"0"}
        and not (match["version"] == _VERSION and match["more"])
    )
