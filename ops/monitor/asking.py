"""Asks each part of the platform in turn, apart from the others, and remembers what it said."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import structlog
from sqlalchemy import Engine
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from infra.antivirus import Antivirus
from infra.db import transaction
from infra.queries import monitoring
from infra.reporting import report
from ops.monitor import gauges
from ops.monitor.gauges import Latest, Sample
from workflows.attributes import JOB_KIND
from workflows.queues import Queue, queue_name

log = structlog.get_logger(__name__)

ANSWER_SECONDS = 12.0
"""More than the database's own limit, so that it is the database that ends a statement."""
LISTED_MAX = 1000
WAITS = "NeedsAttention = true AND ExecutionStatus = 'Running'"

Ask = Callable[[], Awaitable[Sequence[Sample]]]


class StillAsking(Exception):
    """The question before has no answer yet."""


class Apart:
    """Asks in a thread of its own, one question at a time: one that hangs takes no thread from
    another part, and does not keep the process from ending."""

    def __init__(self, question: Callable[[], Sequence[Sample]]) -> None:
        self._question = question
        self._is_asking = False

    async def __call__(self) -> Sequence[Sample]:
        """
        Raises:
            StillAsking: the thread has not come back from the question before.
        """
        if self._is_asking:
            raise StillAsking
        self._is_asking = True
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Sequence[Sample]] = loop.create_future()

        def tell(how: Callable[[Any], None], what: Any) -> None:
            if not answer.done():  # Nobody waits any more.
                how(what)

        def ask() -> None:
            try:
                how, what = answer.set_result, self._question()
            except Exception as error:  # Told to whoever asked.
                how, what = answer.set_exception, error  # type: ignore[assignment]
            self._is_asking = False
            with contextlib.suppress(RuntimeError):  # The loop may be closed by now.
                loop.call_soon_threadsafe(tell, how, what)

        Thread(target=ask, daemon=True).start()
        return await answer


class Platform:
    """What there is to ask, as `parts()`: name → question."""

    def __init__(
        self, engine: Engine, temporal: Client, antivirus: Antivirus, *, queue_prefix: str
    ) -> None:
        self._engine = engine
        self._temporal = temporal
        self._antivirus = antivirus
        self._queue_prefix = queue_prefix
        self._kinds_seen: set[str] = set()

    def parts(self) -> Mapping[str, Ask]:
        return {
            "outbox": Apart(self._outbox),
            "ledger": Apart(self._ledger),
            "backups": Apart(self._backups),
            "attention": self._attention,
            "queues": self._queues,
            "clamd": Apart(self._clamd),
        }

    def _outbox(self) -> list[Sample]:
        now = datetime.now(UTC)
        samples = []
        with transaction(self._engine) as session:
            monitoring.bound_time(session)
            for each in monitoring.waiting(session, now=now):
                samples += [
                    Sample(gauges.WAITING_COUNT, each.count, (each.kind,)),
                    Sample(gauges.WAITING_SECONDS, _age(each.oldest_at, now), (each.kind,)),
                ]
            parked = monitoring.parked_events(session)
        return samples + [
            Sample(gauges.PARKED_EVENTS, count, (reason,)) for reason, count in parked.items()
        ]

    def _ledger(self) -> list[Sample]:
        with transaction(self._engine) as session:
            monitoring.bound_time(session)
            imbalances = monitoring.imbalances_minor(session)
            last = monitoring.last_comparison(session)
        samples = [
            Sample(gauges.IMBALANCE, minor, (currency,)) for currency, minor in imbalances.items()
        ]
        if last is not None:
            samples.append(Sample(gauges.RECONCILED_SECONDS, _age(last.since, datetime.now(UTC))))
            if last.breaks_found is not None:
                samples.append(Sample(gauges.BREAKS, last.breaks_found))
        return samples

    def _backups(self) -> list[Sample]:
        with transaction(self._engine) as session:
            monitoring.bound_time(session)
            last_at = monitoring.last_backup_at(session)
        if last_at is None:
            return []
        return [Sample(gauges.BACKUP_SECONDS, _age(last_at, datetime.now(UTC)))]

    async def _attention(self) -> list[Sample]:
        """The server counts all, but not by kind: those are of the first thousand."""
        total = (await self._temporal.count_workflows(WAITS)).count
        counts = dict.fromkeys(self._kinds_seen, 0)
        if total:
            async for run in self._temporal.list_workflows(WAITS, limit=LISTED_MAX):
                kind = run.typed_search_attributes.get(JOB_KIND) or run.workflow_type
                counts[kind] = counts.get(kind, 0) + 1
        self._kinds_seen |= counts.keys()
        return [
            Sample(gauges.ATTENTION_ALL, total),
            *(Sample(gauges.ATTENTION, count, (kind,)) for kind, count in counts.items()),
        ]

    async def _queues(self) -> list[Sample]:
        answers = await asyncio.gather(*(self._queue(queue) for queue in Queue))
        return [sample for answer in answers for sample in answer]

    async def _queue(self, queue: Queue) -> list[Sample]:
        kind = (
            TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
            if queue is Queue.WORKFLOWS
            else TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
        )
        answer = await self._temporal.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=self._temporal.namespace,
                task_queue=TaskQueue(name=queue_name(queue, prefix=self._queue_prefix)),
                task_queue_type=kind,
                report_stats=True,
            )
        )
        stats = answer.stats
        waited = stats.approximate_backlog_age.ToTimedelta().total_seconds()
        return [
            Sample(gauges.BACKLOG, stats.approximate_backlog_count, (queue.value,)),
            Sample(gauges.BACKLOG_SECONDS, waited, (queue.value,)),
            Sample(gauges.POLLERS, len(answer.pollers), (queue.value,)),
        ]

    def _clamd(self) -> list[Sample]:
        database_at = self._antivirus.engine().database_at
        if database_at is None:
            return []
        return [Sample(gauges.SIGNATURES_SECONDS, _age(database_at, datetime.now(UTC)))]


def _age(at: datetime | None, now: datetime) -> float:
    return 0.0 if at is None else max(0.0, (now - at).total_seconds())


async def ask(name: str, question: Ask, latest: Latest) -> bool:
    """Put what a part says, or that it says nothing; no other part hears of it."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            latest.put(name, await question())
    except Exception as error:  # Any: each part's client has errors of its own.
        if latest.fail(name):
            report(error, where=f"monitor: {name}")
        log.warning("part_not_asked", part=name, kind=type(error).__name__, why=str(error))
        return False
    return True


async def keep_asking(
    parts: Mapping[str, Ask], latest: Latest, *, every_seconds: float, stopping: asyncio.Event
) -> None:
    """Until `stopping` is set. A part that hangs holds up nobody but itself."""

    async def one(name: str, question: Ask) -> None:
        while not stopping.is_set():
            await ask(name, question, latest)
            try:
                async with asyncio.timeout(every_seconds):
                    await stopping.wait()
            except TimeoutError:
                continue

    async with asyncio.TaskGroup() as group:
        for name, question in parts.items():
            group.create_task(one(name, question))
