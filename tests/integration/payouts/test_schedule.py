"""The weekly schedule: kept to the settings, and left paused where somebody has paused it."""

from __future__ import annotations

from typing import Any

from temporalio.client import Client, ScheduleHandle, ScheduleOverlapPolicy

from infra.ids import new_id
from infra.temporal import ensure_weekly
from workflows.payouts.messages import BatchOrder
from workflows.urgency import Urgency, at


async def ensure(client: Client, schedule_id: str, **changes: Any) -> ScheduleHandle:
    values: dict[str, Any] = {"weekday": 1, "hour": 6}
    await ensure_weekly(
        client,
        schedule_id=schedule_id,
        workflow="PayoutBatch",
        order=BatchOrder(),
        workflow_id=schedule_id,
        task_queue="nobody-listens",
        note="Pay out",
        priority=at(Urgency.LATER),
        **(values | changes),
    )
    return client.get_schedule_handle(schedule_id)


async def test_a_round_a_week_and_none_after_one_that_failed(temporal_client: Client) -> None:
    handle = await ensure(temporal_client, f"weekly-{new_id()}")
    described = await handle.describe()
    policy = described.schedule.policy
    assert policy.pause_on_failure
    assert policy.overlap is ScheduleOverlapPolicy.SKIP
    first, second = described.info.next_action_times[:2]
    assert (first.isoweekday(), first.hour, first.minute) == (1, 6, 0)
    assert (second - first).days == 7
    await handle.delete()


async def test_a_schedule_takes_new_settings_and_stays_paused(temporal_client: Client) -> None:
    schedule_id = f"weekly-{new_id()}"
    handle = await ensure(temporal_client, schedule_id)
    await handle.pause(note="Case 7")
    await ensure(temporal_client, schedule_id, weekday=0, hour=9)
    described = await handle.describe()
    assert described.schedule.state.paused
    first = described.info.next_action_times[0]
    assert (first.isoweekday(), first.hour) == (7, 9)
    await handle.delete()
