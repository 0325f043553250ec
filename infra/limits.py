"""Where requests are counted: in Valkey for all processes together, or here while it is away.

One script counts any number of buckets, and what is asked for while a call is under way goes
into the next one together. So a request on its own costs one round trip, and many at a time
share one: a client call costs more than the counting.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from domain.limits import Count, Quota, Tally, count

TIMEOUT_SECONDS = 0.25
"""A Valkey that does not answer within this is away: every request waits for the answer."""
OUTAGE_SECONDS = 5.0
"""For so long it is not asked again."""
LOCAL_BUCKETS_MAX = 50_000
BATCH_MAX = 200

# As `domain.limits.count`; a test holds the two together. Time is the server's own, so that
# processes whose clocks differ count alike. It is stored as `window current before`.
_SCRIPT = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local answer = {}
for i, key in ipairs(KEYS) do
  local limit, length = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
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
  if used + 1 > limit then
    local room, wait = limit - 1, 0
    if current <= room then wait = length * (1 - (room - current) / before) - passed
    else wait = length - passed + length * (1 - room / current) end
    answer[i] = {0, 0, math.max(1, math.ceil(wait))}
  else
    local tally = string.format('%d %d %d', window, current + 1, before)
    redis.call('SET', key, tally, 'EX', 2 * length)
    answer[i] = {1, math.floor(limit - used - 1), math.ceil(length - passed)}
  end
end
return answer
"""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Whose requests are counted against a quota."""

    quota: Quota
    subject: str
    local_requests: int | None = None
    """The quota of each process while Valkey is away; None: the same."""

    @property
    def key(self) -> str:
        return f"limit:{self.quota.name}:{self.subject}"


class Limiter:
    """One for each event loop."""

    def __init__(self, valkey: Redis) -> None:
        self._script = valkey.register_script(_SCRIPT)
        self._waiting: list[tuple[Sequence[Bucket], asyncio.Future[list[Count]]]] = []
        self._sending: asyncio.Task[None] | None = None
        self._retry_at = 0.0
        self._local = LocalBuckets()

    async def hit(self, *buckets: Bucket) -> list[Count]:
        """Count one request in each bucket. Never fails: see `LocalBuckets`."""
        if time.monotonic() < self._retry_at:
            return self._local.hit(buckets)
        answer: asyncio.Future[list[Count]] = asyncio.get_running_loop().create_future()
        self._waiting.append((buckets, answer))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())
        return await answer

    async def _send(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
                counts = iter(await self._count([each for some, _ in batch for each in some]))
                for buckets, answer in batch:
                    mine = list(islice(counts, len(buckets)))
                    if not answer.done():  # Its request may have been given up meanwhile.
                        answer.set_result(mine)
        finally:
            self._sending = None

    async def _count(self, buckets: Sequence[Bucket]) -> list[Count]:
        arguments = [
            number
            for each in buckets
            for number in (each.quota.requests, each.quota.window_seconds)
        ]
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                rows = await self._script([each.key for each in buckets], arguments)
        except (RedisError, TimeoutError, OSError) as error:
            log.warning("limits_are_local", why=str(error) or "time-out", seconds=OUTAGE_SECONDS)
            self._retry_at = time.monotonic() + OUTAGE_SECONDS
            return self._local.hit(buckets)
        return [Count(bool(allowed), remaining, wait) for allowed, remaining, wait in rows]


class LocalBuckets:
    """Counts of this process alone, for while Valkey is away: better than none, and better than
    refusing everybody. The oldest are forgotten, so that addresses can't fill the memory."""

    def __init__(self) -> None:
        self._tallies: OrderedDict[str, Tally] = OrderedDict()

    def hit(self, buckets: Sequence[Bucket]) -> list[Count]:
        now = time.time()
        return [self._hit(bucket, now) for bucket in buckets]

    def _hit(self, bucket: Bucket, now: float) -> Count:
        quota = bucket.quota
        if bucket.local_requests is not None:
            quota = Quota(quota.name, bucket.local_requests, quota.window_seconds)
        tally, counted = count(self._tallies.pop(bucket.key, Tally()), quota, now)
        self._tallies[bucket.key] = tally
        if len(self._tallies) > LOCAL_BUCKETS_MAX:
            self._tallies.popitem(last=False)
        return counted
