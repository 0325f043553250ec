"""Where requests are counted: in Valkey for all processes together, or here while it is away.

One script counts any number of buckets, and what is asked for while a call is under way goes
into the next one together. So a request on its own costs one round trip, and many at a time
share one: a client call costs more than the counting.

A bucket that may lag is asked about at the first request of a burst; those that follow within
`AHEAD_SECONDS` are counted here, and told together. Somebody who spreads a burst over several
processes gets as much further as they let through meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import structlog
from prometheus_client import Counter
from redis.asyncio import Redis
from redis.exceptions import RedisError

from domain.limits import Count, Quota, Tally, count

TIMEOUT_SECONDS = 0.25
"""A Valkey that does not answer within this is away: every request waits for the answer."""
OUTAGE_SECONDS = 5.0
"""For so long it is not asked again."""
AHEAD_SECONDS = 0.2
LOCAL_BUCKETS_MAX = 50_000
BATCH_MAX = 200

# As `domain.limits.count`; a test holds the two together. Time is the server's own, so that
# processes whose clocks differ count alike. It is stored as `window current before`.
_SCRIPT = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local answer = {}
for i, key in ipairs(KEYS) do
  local limit, length = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1])
  local told = tonumber(ARGV[3 * i])
  local window = math.floor(now / length)
  local current, before = 0, 0
  local stored = redis.call('GET', key)
  if stored then
    local w, c, b = string.match(stored, '(%d+) (%d+) (%d+)')
    w = tonumber(w)
    if w == window then current, before = tonumber(c), tonumber(b)
    elseif w == window - 1 then before = tonumber(c) end
  end
  local passed = now - window * length
  local used = before * (length - passed) / length + current
  if told ~= 0 then
    current = math.max(0, current + told)
    local tally = string.format('%d %d %d', window, current, before)
    redis.call('SET', key, tally, 'EX', 2 * length)
    answer[i] = {1, 0, 0, window, current, before}
  elseif used + 1 > limit then
    local room, wait = limit - 1, 0
    if current <= room then wait = length * (1 - (room - current) / before) - passed
    else wait = length - passed + length * (1 - room / current) end
    answer[i] = {0, 0, math.max(1, math.ceil(wait)), window, current, before}
  else
    local tally = string.format('%d %d %d', window, current + 1, before)
    redis.call('SET', key, tally, 'EX', 2 * length)
    local left = math.floor(limit - used - 1)
    answer[i] = {1, left, math.ceil(length - passed), window, current + 1, before}
  end
end
return answer
"""

calls_total = Counter(
    "fansworld_limit_calls_total", "Calls to Valkey that counted requests against limits."
)
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Whose requests are counted against a quota."""

    quota: Quota
    subject: str
    local_requests: int | None = None
    """The quota of each process while Valkey is away; None: the same."""
    may_lag: bool = False
    """Whether a process may count a burst by itself and tell of it a moment later."""

    @property
    def key(self) -> str:
        return f"limit:{self.quota.name}:{self.subject}"


class Limiter:
    """One for each event loop. Close it before its client."""

    def __init__(self, valkey: Redis) -> None:
        self._script = valkey.register_script(_SCRIPT)
        self._waiting: list[tuple[Sequence[Bucket], asyncio.Future[list[Count]]]] = []
        self._sending: asyncio.Task[None] | None = None
        self._telling: list[tuple[Bucket, int]] = []
        self._told: asyncio.Task[None] | None = None
        self._retry_at = 0.0
        self._local = LocalBuckets()
        self._bursts: dict[Bucket, _Burst] = {}

    async def hit(self, *buckets: Bucket) -> list[Count]:
        """Count one request in each bucket. Never fails: see `LocalBuckets`."""
        if time.monotonic() < self._retry_at:
            return self._local.hit(buckets)
        bursts = [burst for each in buckets if (burst := self._bursts.get(each))]
        if len(bursts) == len(buckets):
            now = time.time()
            return [
                burst.count(bucket.quota, now)
                for bucket, burst in zip(buckets, bursts, strict=True)
            ]
        answer: asyncio.Future[list[Count]] = asyncio.get_running_loop().create_future()
        self._waiting.append((buckets, answer))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())
        return await answer

    async def give_back(self, *buckets: Bucket) -> None:
        """Take back one request of each bucket that a `hit` has counted."""
        if (
            time.monotonic() < self._retry_at
            or await self._call(buckets, [-1] * len(buckets)) is None
        ):
            self._local.give_back(buckets)

    async def aclose(self) -> None:
        """Tell of the bursts that are under way, and let no task of ours outlive the client."""
        for bucket, burst in list(self._bursts.items()):
            burst.timer.cancel()
            self._end_burst(bucket)
        for task in (self._sending, self._told):
            if task is not None:
                await task

    async def _send(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
                counts = iter(await self._ask([each for some, _ in batch for each in some]))
                for buckets, answer in batch:
                    mine = list(islice(counts, len(buckets)))
                    if not answer.done():  # Its request may have been given up meanwhile.
                        answer.set_result(mine)
        finally:
            self._sending = None

    async def _ask(self, buckets: Sequence[Bucket]) -> list[Count]:
        answers = await self._call(buckets, [0] * len(buckets))
        if answers is None:
            return self._local.hit(buckets)
        loop = asyncio.get_running_loop()
        for bucket, (_, tally) in zip(buckets, answers, strict=True):
            if bucket.may_lag and bucket not in self._bursts:
                timer = loop.call_later(AHEAD_SECONDS, self._end_burst, bucket)
                self._bursts[bucket] = _Burst(tally, timer)
        return [counted for counted, _ in answers]

    def _end_burst(self, bucket: Bucket) -> None:
        """Tell of what was counted here; a burst that goes on is watched on."""
        burst = self._bursts.pop(bucket)
        if burst.passed:
            self._telling.append((bucket, burst.passed))
            if self._told is None:
                self._told = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        try:
            while self._telling:
                batch, self._telling = self._telling[:BATCH_MAX], self._telling[BATCH_MAX:]
                # Valkey away: what passed is forgotten with the rest.
                await self._call([bucket for bucket, _ in batch], [passed for _, passed in batch])
        finally:
            self._told = None

    async def _call(
        self, buckets: Sequence[Bucket], told: Sequence[int]
    ) -> list[tuple[Count, Tally]] | None:
        """None: Valkey is away."""
        arguments = [
            number
            for each, passed in zip(buckets, told, strict=True)
            for number in (each.quota.requests, each.quota.window_seconds, passed)
        ]
        try:
            calls_total.inc()
            async with asyncio.timeout(TIMEOUT_SECONDS):
                rows = await self._script([each.key for each in buckets], arguments)
        except (RedisError, TimeoutError, OSError) as error:
            log.warning("limits_are_local", why=str(error) or "time-out", seconds=OUTAGE_SECONDS)
            self._retry_at = time.monotonic() + OUTAGE_SECONDS
            return None
        return [(Count(bool(row[0]), row[1], row[2]), Tally(*row[3:])) for row in rows]


class _Burst:
    """A bucket that is counted here for a moment, from what Valkey knew at its beginning."""

    def __init__(self, tally: Tally, timer: asyncio.TimerHandle) -> None:
        self._tally = tally
        self.timer = timer
        self.passed = 0

    def count(self, quota: Quota, now: float) -> Count:
        self._tally, counted = count(self._tally, quota, now)
        self.passed += counted.allowed
        return counted


class LocalBuckets:
    """Counts of this process alone, for while Valkey is away: better than none, and better than
    refusing everybody. The oldest are forgotten, so that addresses can't fill the memory."""

    def __init__(self) -> None:
        self._tallies: OrderedDict[str, Tally] = OrderedDict()

    def hit(self, buckets: Sequence[Bucket]) -> list[Count]:
        now = time.time()
        return [self._hit(bucket, now) for bucket in buckets]

    def give_back(self, buckets: Sequence[Bucket]) -> None:
        for bucket in buckets:
            if bucket.key in self._tallies:
                self._tallies[bucket.key] = self._tallies[bucket.key].less_one()

    def _hit(self, bucket: Bucket, now: float) -> Count:
        quota = bucket.quota
        if bucket.local_requests is not None:
            quota = Quota(quota.name, bucket.local_requests, quota.window_seconds)
        tally, counted = count(self._tallies.pop(bucket.key, Tally()), quota, now)
        self._tallies[bucket.key] = tally
        if len(self._tallies) > LOCAL_BUCKETS_MAX:
            self._tallies.popitem(last=False)
        return counted
