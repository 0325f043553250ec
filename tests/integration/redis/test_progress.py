"""Live progress over a real Valkey, and over one that is gone, hangs, or comes back."""

from __future__ import annotations

import asyncio
import socket
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from structlog.testing import capture_logs

from infra.metrics.measures import progress_lost
from infra.redis import (
    EVENTS_MAX,
    TIMEOUT_SECONDS,
    ProgressEvent,
    follow_progress,
    make_async_valkey,
    make_valkey,
    publish_progress,
)
from infra.settings import Settings

Followed = tuple[str, ProgressEvent] | None


@pytest.fixture
def event() -> ProgressEvent:
    return ProgressEvent(
        media_id=str(uuid.uuid4()),
        generation=1,
        step="transcode",
        percent=10,
        note="480p: 12 of 90 s",
        state="processing",
        at=datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC),
    )


@pytest.fixture
async def reader(settings: Settings) -> AsyncIterator[AsyncRedis]:
    client = make_async_valkey(settings)
    yield client
    await client.aclose()


async def collect(follower: AsyncIterator[Followed], *, count: int | None = None) -> list[Followed]:
    """What a follower yields, up to its end or to `count` of it."""
    found: list[Followed] = []
    async with asyncio.timeout(20):
        async for each in follower:
            found.append(each)
            if len(found) == count:
                break
    return found


def percents(found: list[Followed]) -> list[int | None]:
    return [each[1].percent if each is not None else None for each in found]


async def test_a_reader_sees_every_event_to_the_final_one_and_then_ends(
    valkey: Redis, reader: AsyncRedis, event: ProgressEvent
) -> None:
    assert publish_progress(valkey, event)
    reading = asyncio.create_task(collect(follow_progress(reader, event.media_id)))
    await asyncio.sleep(0.2)
    for percent in (20, 30):
        publish_progress(valkey, replace(event, percent=percent))
    final = replace(event, percent=100, state="ready", step=None, note=None)
    publish_progress(valkey, final)
    found = await reading
    assert percents(found) == [10, 20, 30, 100]
    assert found[0] is not None and found[0][1] == event
    assert found[-1] is not None and found[-1][1] == final


async def test_a_reader_that_comes_first_misses_nothing(
    valkey: Redis, reader: AsyncRedis, event: ProgressEvent
) -> None:
    reading = asyncio.create_task(collect(follow_progress(reader, event.media_id)))
    await asyncio.sleep(0.3)
    publish_progress(valkey, event)
    publish_progress(valkey, replace(event, percent=100, state="rejected"))
    assert percents(await reading) == [10, 100]


async def test_a_reader_that_comes_after_the_end_still_gets_it(
    valkey: Redis, reader: AsyncRedis, event: ProgressEvent
) -> None:
    publish_progress(valkey, event)
    publish_progress(valkey, replace(event, percent=100, state="ready"))
    assert percents(await collect(follow_progress(reader, event.media_id))) == [100]


async def test_a_reader_resumes_behind_the_last_event_it_saw(
    valkey: Redis, reader: AsyncRedis, event: ProgressEvent
) -> None:
    for percent in (10, 20):
        publish_progress(valkey, replace(event, percent=percent))
    (seen,) = await collect(follow_progress(reader, event.media_id), count=1)
    assert seen is not None and seen[1].percent == 20
    # The end falls between two connections.
    publish_progress(valkey, replace(event, percent=90))
    publish_progress(valkey, replace(event, percent=100, state="ready"))
    found = await collect(follow_progress(reader, event.media_id, seen[0]))
    assert percents(found) == [90, 100]


@pytest.mark.parametrize("last_id", ["", "x", "$", "+", "1-1; DROP", "-1-0"])
async def test_a_last_id_that_is_none_of_ours_starts_with_the_latest_event(
    valkey: Redis, reader: AsyncRedis, event: ProgressEvent, last_id: str
) -> None:
    publish_progress(valkey, event)
    publish_progress(valkey, replace(event, percent=100, state="ready"))
    assert percents(await collect(follow_progress(reader, event.media_id, last_id))) == [100]


async def test_events_of_an_earlier_run_are_passed_over(
    valkey: Redis, reader: AsyncRedis, event: ProgressEvent
) -> None:
    publish_progress(valkey, replace(event, percent=100, state="ready"))
    reading = asyncio.create_task(collect(follow_progress(reader, event.media_id, generation=2)))
    await asyncio.sleep(0.2)
    publish_progress(valkey, replace(event, generation=2, percent=5))
    publish_progress(valkey, replace(event, generation=2, percent=100, state="ready"))
    assert percents(await reading) == [5, 100]


async def test_a_quiet_stream_lets_the_reader_look_elsewhere(
    reader: AsyncRedis, event: ProgressEvent
) -> None:
    follower = follow_progress(reader, event.media_id, idle_seconds=0.5)
    assert await collect(follower, count=2) == [None, None]


def test_a_stream_is_bounded_and_goes_away(valkey: Redis, event: ProgressEvent) -> None:
    for percent in range(EVENTS_MAX + 50):
        publish_progress(valkey, replace(event, percent=percent % 100))
    stream = f"progress:{event.media_id}"
    assert valkey.xlen(stream) == EVENTS_MAX
    assert 0 < valkey.ttl(stream) <= 6 * 3600


def gone(settings: Settings) -> Settings:
    return settings.model_copy(update={"valkey_url": "redis://127.0.0.1:9/0"})


def test_without_valkey_an_event_is_counted_and_the_outage_logged_once(
    settings: Settings, event: ProgressEvent
) -> None:
    lost: list[float] = []
    progress_lost.go_to(lambda value, _: lost.append(value))
    with make_valkey(gone(settings)) as unreachable, capture_logs() as lines:
        assert not publish_progress(unreachable, event)
        for _ in range(20):
            assert not publish_progress(unreachable, event)
        assert not publish_progress(unreachable, replace(event, state="ready"))
    assert len(lost) == 22
    assert [line["event"] for line in lines] == ["progress_unavailable"]


def test_a_valkey_that_hangs_costs_its_time_once(settings: Settings, event: ProgressEvent) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"redis://127.0.0.1:{mute.getsockname()[1]}/0"
        with make_valkey(settings.model_copy(update={"valkey_url": url})) as hung:
            began = time.monotonic()
            assert not publish_progress(hung, event)
            assert time.monotonic() - began < 1.5 * TIMEOUT_SECONDS
            began = time.monotonic()
            for _ in range(100):
                assert not publish_progress(hung, event)
            assert time.monotonic() - began < 1


async def test_without_valkey_a_reader_is_kept_and_told_to_look_elsewhere(
    settings: Settings, event: ProgressEvent
) -> None:
    unreachable = make_async_valkey(gone(settings))
    follower = follow_progress(unreachable, event.media_id, idle_seconds=0.5)
    assert await collect(follower, count=2) == [None, None]
    await unreachable.aclose()


async def test_a_reader_survives_a_valkey_that_forgot_everything(
    valkey: Redis, reader: AsyncRedis, event: ProgressEvent
) -> None:
    """As after a restart: it keeps nothing on disk."""
    publish_progress(valkey, event)
    reading = asyncio.create_task(collect(follow_progress(reader, event.media_id)))
    await asyncio.sleep(0.2)
    valkey.delete(f"progress:{event.media_id}")
    valkey.client_kill_filter(_type="normal", skipme=True)
    publish_progress(valkey, replace(event, percent=100, state="ready"))
    assert percents(await reading) == [10, 100]
