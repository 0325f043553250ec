"""Valkey: clients, and the live progress of ingest.

Each media has one short stream of progress events. A stream, not pub/sub: who connects late
or again reads on from the last event it saw (`Last-Event-ID` is the stream's own entry id),
so the event that ends a run can't fall between two connections. Postgres holds the same
facts more coarsely; losing Valkey makes progress less smooth and loses nothing else.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

import orjson
import structlog
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.retry import Retry

from domain.media.states import MediaState
from infra.metrics.measures import progress_lost
from infra.settings import Settings

TIMEOUT_SECONDS = 2.0
EVENTS_MAX = 200
"""Entries kept for each media; at one a second the last minutes, and always the last one."""
TTL_SECONDS = 6 * 3600
"""A stream lives this long after its last event."""
OUTAGE_SECONDS = 10.0
"""After a failure, progress is not even tried for so long: a Valkey that hangs would cost
the transcode `TIMEOUT_SECONDS` for each event."""
POLL_SECONDS = 1.0
"""One blocking read of a follower; must stay below `TIMEOUT_SECONDS`."""
IDLE_SECONDS = 10.0

_RETRIED = (RedisConnectionError,)
"""A connection that went stale is worth a second try at once; a time-out is not."""
_ENTRY_ID = re.compile(r"\d{1,20}-\d{1,20}")

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ProgressEvent:
    """Where the ingest of one media stands; `state` and `step` are the domain's values."""

    media_id: str
    generation: int
    step: str | None
    percent: int
    note: str | None
    state: str
    at: datetime

    @property
    def is_final(self) -> bool:
        return MediaState(self.state).is_final


def make_valkey(settings: Settings) -> Redis:
    """For activities. Fails within seconds; connections open on first use."""
    return Redis.from_url(
        settings.valkey_url,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 1, supported_errors=_RETRIED),
        health_check_interval=30,
    )


def make_async_valkey(settings: Settings) -> AsyncRedis:
    """For the API; one for each event loop."""
    return AsyncRedis.from_url(
        settings.valkey_url,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=AsyncRetry(NoBackoff(), 1, supported_errors=_RETRIED),
        health_check_interval=30,
    )


@dataclass
class _Outage:
    retry_at: float


_outages: WeakKeyDictionary[Redis, _Outage] = WeakKeyDictionary()
_outages_lock = threading.Lock()


def publish_progress(valkey: Redis, event: ProgressEvent) -> bool:
    """Append the event to its media's stream; False when Valkey did not take it.

    Never raises for Valkey's sake: a step must not fail because nobody can watch it. The
    loss is counted, and an outage is logged once at its start and once at its end.
    """
    outage = _outages.get(valkey)
    if outage is not None and time.monotonic() < outage.retry_at and not event.is_final:
        progress_lost.add()
        return False
    stream = _stream_of(event.media_id)
    try:
        pipeline = valkey.pipeline(transaction=False)
        pipeline.xadd(
            stream, {"event": orjson.dumps(asdict(event))}, maxlen=EVENTS_MAX, approximate=False
        )
        pipeline.expire(stream, TTL_SECONDS)
        pipeline.execute()
    except RedisError as error:
        # The base of all that the client raises, time-outs and refused connections included.
        progress_lost.add()
        _begin_outage(valkey, error)
        return False
    if outage is not None:
        _end_outage(valkey)
    return True


def _begin_outage(valkey: Redis, error: RedisError) -> None:
    with _outages_lock:
        is_new = valkey not in _outages
        _outages[valkey] = _Outage(time.monotonic() + OUTAGE_SECONDS)
    if is_new:
        log.warning("progress_unavailable", why=f"{type(error).__name__}: {error}")


def _end_outage(valkey: Redis) -> None:
    with _outages_lock:
        was_known = _outages.pop(valkey, None) is not None
    if was_known:
        log.info("progress_available_again")


async def follow_progress(
    valkey: AsyncRedis,
    media_id: str,
    last_id: str | None = None,
    *,
    generation: int = 0,
    idle_seconds: float = IDLE_SECONDS,
) -> AsyncIterator[tuple[str, ProgressEvent] | None]:
    """Events after `last_id` as (entry id, event), ending after one with a final state.

    Without `last_id` (or with one that is no entry id) it starts with the latest event.
    Events of runs before `generation` are passed over.

    Yields None after every `idle_seconds` without an event, Valkey being down included: the
    caller should then look into Postgres, which knows the state whatever became of Valkey.
    """
    position = last_id if last_id is not None and _ENTRY_ID.fullmatch(last_id) else None
    quiet_since = time.monotonic()
    is_down = False
    while True:
        try:
            entries = await _entries_after(valkey, media_id, position)
            is_down = False
        except RedisError as error:
            # The reader keeps its connection and gets the state from Postgres meanwhile.
            if not is_down:
                log.warning("progress_unavailable", why=f"{type(error).__name__}: {error}")
            entries, is_down = [], True
            await asyncio.sleep(POLL_SECONDS)
        for entry_id, event in entries:
            position = entry_id
            if event.generation < generation:
                continue
            quiet_since = time.monotonic()
            yield entry_id, event
            if event.is_final:
                return
        if position is None and not is_down:
            position = "0-0"
        if time.monotonic() - quiet_since >= idle_seconds:
            quiet_since = time.monotonic()
            yield None


async def _entries_after(
    valkey: AsyncRedis, media_id: str, position: str | None
) -> list[tuple[str, ProgressEvent]]:
    stream = _stream_of(media_id)
    answer: Any
    rows: list[tuple[bytes, dict[bytes, bytes]]]
    if position is None:
        answer = await valkey.xrevrange(stream, count=1)
        rows = answer or []
    else:
        answer = await valkey.xread(
            {stream: position}, count=EVENTS_MAX, block=int(POLL_SECONDS * 1000)
        )
        rows = answer[0][1] if answer else []
    return [(entry_id.decode(), _event_of(fields[b"event"])) for entry_id, fields in rows]


def _event_of(raw: bytes) -> ProgressEvent:
    fields = orjson.loads(raw)
    return ProgressEvent(**{**fields, "at": datetime.fromisoformat(fields["at"])})


def _stream_of(media_id: str) -> str:
    return f"progress:{media_id}"
