"""Where the time of an asked run goes, read from Temporal's own history of it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client


@dataclass(frozen=True, slots=True)
class Spent:
    """Milliseconds of one request: before the run began and after its answer was there; in its
    step; and between the two, where Temporal hands tasks to workers and notes what they say."""

    around: float
    step: float
    between: float


async def spent(client: Client, totals_ms: Mapping[str, float]) -> list[Spent]:
    """Of each run by its id, given how long its request took as a whole."""
    found = []
    for workflow_id, total in totals_ms.items():
        handle = client.get_workflow_handle(workflow_id)
        found.append(spent_of([each async for each in handle.fetch_history_events()], total))
    return found


def spent_of(history: Sequence[HistoryEvent], total_ms: float) -> Spent:
    """From the first event to the answer to the update; all times are of the server's clock.

    Raises:
        ValueError: the run has not exactly one finished step, and one answer.
    """
    begun = _only(history, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)
    told = _only(history, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED)
    taken = _only(history, EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED)
    done = _only(history, EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED)
    run, step = _ms(begun, told), _ms(taken, done)
    return Spent(around=total_ms - run, step=step, between=run - step)


def told_of(found: Sequence[Spent]) -> str:
    """Medians, as a note. They need not add up to the median of the whole."""
    step, between, around = (
        statistics.median(getattr(each, name) for each in found)
        for name in ("step", "between", "around")
    )
    return f"step {step:.0f} ms, Temporal {between:.0f} ms, route {around:.0f} ms"


def _only(history: Sequence[HistoryEvent], kind: EventType.ValueType) -> datetime:
    times = [each.event_time.ToDatetime() for each in history if each.event_type == kind]
    if len(times) != 1:
        raise ValueError(f"{len(times)} events of {EventType.Name(kind)} in place of one")
    return times[0]


def _ms(begin: datetime, end: datetime) -> float:
    return (end - begin).total_seconds() * 1000
