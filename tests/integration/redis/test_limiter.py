"""Counting in Valkey, and without it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY
from redis import Redis

from domain.limits import Quota, Tally, count
from infra.ids import new_id
from infra.limits import AHEAD_SECONDS, Bucket, Limiter
from infra.redis import make_async_valkey
from infra.settings import Settings

LONG = 10_000_000
"""Seconds; a window whose edge no test meets."""


def calls_so_far() -> float:
    """Of this process; the server counts those of other test workers, too."""
    return REGISTRY.get_sample_value("fansworld_limit_calls_total") or 0


@pytest.fixture
async def limiter(settings: Settings, valkey: Redis) -> AsyncIterator[Limiter]:
    del valkey  # Asked for, because it is emptied.
    client = make_async_valkey(settings)
    limiter = Limiter(client)
    yield limiter
    await limiter.aclose()
    await client.aclose()


@pytest.mark.parametrize("current", [0, 1, 4, 5, 9, 10])
@pytest.mark.parametrize("before", [0, 1, 7, 10])
@pytest.mark.parametrize("age", [0, 1, 2])
async def test_the_script_counts_as_the_rule_does(
    limiter: Limiter, valkey: Redis, current: int, before: int, age: int
) -> None:
    now = time.time()
    window = int(now // LONG) - age
    bucket = Bucket(Quota("api", 10, LONG), new_id())
    valkey.set(bucket.key, f"{window} {current} {before}")
    tally, expected = count(Tally(window, current, before), bucket.quota, now)
    [got] = await limiter.hit(bucket)
    assert (got.allowed, got.remaining) == (expected.allowed, expected.remaining)
    assert got.wait_seconds == pytest.approx(expected.wait_seconds, abs=30)
    if expected.allowed:
        stored = valkey.get(bucket.key)
        assert stored == f"{tally.window} {tally.current} {tally.before}".encode()


async def test_requests_at_the_same_time_share_a_call_and_are_counted_one_by_one(
    limiter: Limiter,
) -> None:
    many, one = Bucket(Quota("api", 5, LONG), "many"), Bucket(Quota("api", 5, LONG), "one")
    await limiter.hit(one)
    calls = calls_so_far()
    counts = await asyncio.gather(*(limiter.hit(many, one) for _ in range(50)))
    assert sum(each[0].allowed for each in counts) == 5
    assert sum(each[1].allowed for each in counts) == 4
    assert calls_so_far() - calls <= 2


async def test_what_did_not_count_after_all_is_given_back(limiter: Limiter) -> None:
    bucket = Bucket(Quota("auth", 2, LONG), new_id())
    for _ in range(5):
        assert [each.allowed for each in await limiter.hit(bucket)] == [True]
        await limiter.give_back(bucket)
    await limiter.give_back(bucket)  # There is nothing left to give back.
    allowed = [(await limiter.hit(bucket))[0].allowed for _ in range(3)]
    assert allowed == [True, True, False]


async def test_a_bucket_is_forgotten_when_it_does_not_count_any_more(
    limiter: Limiter, valkey: Redis
) -> None:
    bucket = Bucket(Quota("api", 5, 60), new_id())
    await limiter.hit(bucket)
    assert 0 < int(str(valkey.ttl(bucket.key))) <= 120


async def test_without_valkey_each_process_counts_by_itself_and_more_strictly_where_asked(
    settings: Settings,
) -> None:
    client = make_async_valkey(settings.model_copy(update={"valkey_url": "redis://127.0.0.1:1/0"}))
    limiter = Limiter(client)
    plain = Bucket(Quota("api", 4, LONG), new_id())
    strict = Bucket(Quota("auth", 4, LONG), new_id(), local_requests=2)
    counts = [await limiter.hit(plain, strict) for _ in range(6)]
    await client.aclose()
    assert [each[0].allowed for each in counts] == [True] * 4 + [False] * 2
    assert [each[1].allowed for each in counts] == [True] * 2 + [False] * 4


async def test_a_valkey_that_hangs_costs_one_wait_and_not_one_a_request(settings: Settings) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = {"valkey_url": f"redis://127.0.0.1:{port}/0"}
    client = make_async_valkey(settings.model_copy(update=url))
    limiter, bucket = Limiter(client), Bucket(Quota("api", 4, LONG), new_id())
    begun = time.monotonic()
    counts = [await limiter.hit(bucket) for _ in range(5)]
    assert time.monotonic() - begun < 1
    await client.aclose()
    server.close()
    assert [each.allowed for [each] in counts] == [True] * 4 + [False]


async def test_a_burst_is_counted_here_and_told_in_one_call(
    limiter: Limiter, valkey: Redis
) -> None:
    bucket = Bucket(Quota("api", 30, LONG), new_id(), may_lag=True)
    [first] = await limiter.hit(bucket)
    calls = calls_so_far()
    counts = [first, *[(await limiter.hit(bucket))[0] for _ in range(40)]]
    assert [each.allowed for each in counts] == [True] * 30 + [False] * 11
    assert [each.remaining for each in counts[:30]] == list(range(29, -1, -1))
    await _until_told(valkey, bucket, 30)
    assert calls_so_far() - calls == 1
    [late] = await limiter.hit(bucket)
    assert not late.allowed


async def test_two_processes_soon_know_of_each_other(
    limiter: Limiter, valkey: Redis, settings: Settings
) -> None:
    client = make_async_valkey(settings)
    other = Limiter(client)
    bucket = Bucket(Quota("api", 20, LONG), new_id(), may_lag=True)
    for _ in range(12):
        await limiter.hit(bucket)
        await other.hit(bucket)
    await _until_told(valkey, bucket, 24)
    assert not (await limiter.hit(bucket))[0].allowed
    assert not (await other.hit(bucket))[0].allowed
    await other.aclose()
    await client.aclose()


async def _until_told(valkey: Redis, bucket: Bucket, current: int) -> None:
    async with asyncio.timeout(5):
        while str(valkey.get(bucket.key)).split()[1] != str(current):
            await asyncio.sleep(0.01)


async def test_closing_tells_of_the_burst_and_leaves_no_task_behind(
    settings: Settings, valkey: Redis
) -> None:
    client = make_async_valkey(settings)
    limiter = Limiter(client)
    bucket = Bucket(Quota("api", 20, LONG), new_id(), may_lag=True)
    for _ in range(5):
        await limiter.hit(bucket)
    before = asyncio.all_tasks()
    await limiter.aclose()
    assert str(valkey.get(bucket.key)).split()[1] == "5"
    await client.aclose()
    calls = calls_so_far()
    await asyncio.sleep(2 * AHEAD_SECONDS)
    assert calls_so_far() == calls, "Valkey is asked by nobody any more"
    assert asyncio.all_tasks() == before
