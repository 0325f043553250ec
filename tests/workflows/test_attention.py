"""What an operator reads about a step that waits."""

from __future__ import annotations

import pytest
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ServerError,
    TimeoutError,
    TimeoutType,
)

from workflows.attention import BlockedStep, attention_text, reason_of


def failed(cause: BaseException) -> ActivityError:
    error = ActivityError(
        "Activity task failed",
        scheduled_event_id=1,
        started_event_id=2,
        identity="worker",
        activity_type="inspect_original",
        activity_id="1",
        retry_state=None,
    )
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (ApplicationError("no verdict", "not_scanned", type="Unavailable"), "not_scanned"),
        (ApplicationError("no connection", type="OperationalError"), "OperationalError"),
        (ApplicationError("who knows"), "unknown"),
        (
            TimeoutError("late", type=TimeoutType.HEARTBEAT, last_heartbeat_details=[]),
            "timeout_heartbeat",
        ),
        (ServerError("gone"), "ServerError"),
    ],
)
def test_the_reason_is_what_the_runbook_is_sorted_by(cause: BaseException, reason: str) -> None:
    assert reason_of(failed(cause)) == reason


def test_the_text_says_what_happened_and_what_to_do() -> None:
    blocked = BlockedStep("moderate", "timeout_heartbeat", "no sign of life", True, "It is held.")
    text = attention_text(blocked)
    for part in ("`timeout_heartbeat`", "no sign of life", '"step": "moderate"', "It is held."):
        assert part in text
    assert "can't be skipped" in attention_text(BlockedStep("inspect", "x", "x", False, ""))
