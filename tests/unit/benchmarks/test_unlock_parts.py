"""The time of a request is split by the history of its run, and every part of it is counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from benchmarks.unlock_parts import Spent, spent_of, told_of

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
HISTORY = (
    (EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, 0),
    (EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, 8),
    (EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED, 10),
    (EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, 40),
    (EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED, 50),
    (EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, 90),
)


def event(kind: EventType.ValueType, after_ms: int) -> HistoryEvent:
    made = HistoryEvent(event_type=kind)
    made.event_time.FromDatetime(BEGUN + timedelta(milliseconds=after_ms))
    return made


def test_the_parts_are_the_whole_and_the_end_of_the_run_is_not_waited_for() -> None:
    found = spent_of([event(*each) for each in HISTORY], 70)
    assert found == Spent(around=20, step=30, between=20)
    assert found.around + found.step + found.between == 70


@pytest.mark.parametrize("missing", [0, 2, 3, 4])
def test_a_run_that_was_tried_again_or_gave_no_answer_is_not_split(missing: int) -> None:
    history = [event(*each) for each in HISTORY]
    with pytest.raises(ValueError, match="0 events"):
        spent_of(history[:missing] + history[missing + 1 :], 70)
    with pytest.raises(ValueError, match="2 events"):
        spent_of([*history, history[missing]], 70)


def test_medians_are_told() -> None:
    found = [Spent(around=9, step=1, between=5), Spent(around=11, step=3, between=7)]
    assert told_of(found) == "step 2 ms, Temporal 6 ms, route 10 ms"
