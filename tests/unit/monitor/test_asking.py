"""One part that is away takes nothing but its own numbers along."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest
from prometheus_client import CollectorRegistry

from ops.monitor import gauges
from ops.monitor.asking import Apart, StillAsking, ask, keep_asking
from ops.monitor.gauges import Latest, Sample


async def _mails() -> Sequence[Sample]:
    return [Sample(gauges.WAITING_COUNT, 3, ("mails",))]


async def _away() -> Sequence[Sample]:
    raise ConnectionError("nobody there")


def _served(latest: Latest, name: str, **labels: str) -> float | None:
    registry = CollectorRegistry()
    registry.register(latest)
    return registry.get_sample_value(name, labels)


async def test_a_part_that_is_away_is_said_to_be_and_the_others_are_served() -> None:
    latest = Latest()
    assert await ask("outbox", _mails, latest)
    assert not await ask("ledger", _away, latest)
    assert _served(latest, "fansworld_monitor_up", part="outbox") == 1
    assert _served(latest, "fansworld_monitor_up", part="ledger") == 0
    assert _served(latest, "fansworld_waiting_count", kind="mails") == 3


async def test_of_a_part_that_went_away_no_old_number_is_served() -> None:
    latest = Latest()
    await ask("outbox", _mails, latest)
    await ask("outbox", _away, latest)
    assert _served(latest, "fansworld_monitor_up", part="outbox") == 0
    assert _served(latest, "fansworld_waiting_count", kind="mails") is None


async def test_a_part_that_hangs_holds_up_no_other_and_not_the_end() -> None:
    latest, stopping = Latest(), asyncio.Event()
    asked = 0

    async def counted() -> Sequence[Sample]:
        nonlocal asked
        asked += 1
        if asked == 3:
            stopping.set()
        return []

    async def hangs() -> Sequence[Sample]:
        await stopping.wait()
        return []

    parts = {"queues": hangs, "clamd": counted}
    await keep_asking(parts, latest, every_seconds=0.001, stopping=stopping)
    assert asked == 3


async def test_a_question_that_never_comes_back_takes_no_thread_from_another() -> None:
    let_go = threading.Event()

    def hangs() -> list[Sample]:
        let_go.wait()
        return []

    hanging = [Apart(hangs) for _ in range(2)]
    before = threading.active_count()
    served = Apart(lambda: [Sample(gauges.PARKED_EVENTS, 1, ("no_run",))])
    try:
        for _ in range(20):
            for each in hanging:
                with pytest.raises((TimeoutError, StillAsking)):
                    async with asyncio.timeout(0.005):
                        await each()
            assert len(await served()) == 1
        assert threading.active_count() <= before + len(hanging) + 1
    finally:
        let_go.set()


async def test_what_a_question_raises_is_told() -> None:
    def refuses() -> list[Sample]:
        raise LookupError("no such row")

    apart = Apart(refuses)
    for _ in range(2):
        with pytest.raises(LookupError, match="no such row"):
            await apart()
