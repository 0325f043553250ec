"""The workers' composition root: settings → clients → activities → one Worker a task queue.

python worker.py --queue all
python worker.py --queue media            # scale these to the cores you have
python worker.py --queue workflows,io
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import structlog
from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.runtime import Runtime
from temporalio.worker import PollerBehaviorAutoscaling, Worker, WorkerDeploymentConfig

from activities.journal import Journal
from activities.parts import WorkerParts, open_worker_parts
from activities.scratch import kept_tidy
from activities.slices import activities_on_queues
from domain.ids import PAYOUT_BATCH, sweep_workflow_id
from infra.metrics.serving import runtime_with_metrics
from infra.migrations.state import DatabaseBehind
from infra.reporting import report
from infra.settings import Settings, SettingsError, load_settings
from infra.telemetry import configure_logging
from infra.temporal import connect, ensure_schedule, ensure_weekly
from infra.watching import watching
from workflows.payouts.messages import BatchOrder
from workflows.queues import Queue, queue_name
from workflows.runner import SWEEPS, WORKFLOWS, workflow_runner
from workflows.urgency import Urgency, at

log = structlog.get_logger("worker")

HEARTBEAT_THROTTLE = timedelta(seconds=2)
"""Also how long a cancelled activity may go on before it hears of it."""


def parse_queues(text: str) -> tuple[Queue, ...]:
    """`all`, or a list such as `media,io`.

    Raises:
        argparse.ArgumentTypeError: a name that is no queue.
    """
    if text == "all":
        return tuple(Queue)
    try:
        return tuple(Queue(name.strip()) for name in text.split(","))
    except ValueError as error:
        known = ", ".join(["all", *Queue])
        raise argparse.ArgumentTypeError(f"{error}; known: {known}") from error


def build_workers(
    client: Client, settings: Settings, queues: Sequence[Queue], parts: WorkerParts | None
) -> list[Worker]:
    """One Worker for each queue. `parts` may be None where only workflows are served."""
    workers = []
    if Queue.WORKFLOWS in queues:
        workers.append(_workflow_worker(client, settings))
    if parts is not None:
        slots = {
            Queue.MEDIA: settings.worker_media_slots,
            Queue.IO: settings.worker_io_slots,
            Queue.MONEY: settings.worker_money_slots,
        }
        workers += [
            activity_worker(client, settings, queue, slots[queue], activities)
            for queue, activities in activities_on_queues(parts).items()
            if queue in queues and activities
        ]
    return workers


def _workflow_worker(client: Client, settings: Settings) -> Worker:
    return Worker(
        client,
        task_queue=queue_name(Queue.WORKFLOWS, prefix=settings.task_queue_prefix),
        workflows=list(WORKFLOWS),
        workflow_runner=workflow_runner(is_versioned=settings.worker_build_id is not None),
        max_concurrent_workflow_tasks=settings.worker_workflow_slots,
        max_cached_workflows=settings.worker_cached_workflows,
        workflow_task_poller_behavior=_pollers(settings.worker_workflow_pollers),
        deployment_config=_deployment(settings),
        graceful_shutdown_timeout=_grace(settings, Queue.WORKFLOWS),
        interceptors=[Journal()],
        on_fatal_error=_log_fatal,
    )


def activity_worker(
    client: Client,
    settings: Settings,
    queue: Queue,
    slots: int,
    activities: Sequence[Callable[..., Any]],
) -> Worker:
    """The worker of one queue of steps."""
    return Worker(
        client,
        task_queue=queue_name(queue, prefix=settings.task_queue_prefix),
        activities=activities,
        activity_executor=ThreadPoolExecutor(slots, thread_name_prefix=queue.value),
        max_concurrent_activities=slots,
        max_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
        max_task_queue_activities_per_second=(
            settings.money_steps_per_second if queue is Queue.MONEY else None
        ),
        activity_task_poller_behavior=_pollers(settings.worker_activity_pollers),
        graceful_shutdown_timeout=_grace(settings, queue),
        interceptors=[Journal()],
        on_fatal_error=_log_fatal,
    )


def _pollers(maximum: int) -> PollerBehaviorAutoscaling:
    return PollerBehaviorAutoscaling(minimum=1, maximum=maximum, initial=min(2, maximum))


def _deployment(settings: Settings) -> WorkerDeploymentConfig | None:
    """Only of the workflows' workers: what a step takes and gives is compatible from one build to
    the next, so the costly workers of other queues need not be kept up twice."""
    if settings.worker_build_id is None:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(settings.worker_deployment_name, settings.worker_build_id),
        use_worker_versioning=True,
    )


def _grace(settings: Settings, queue: Queue) -> timedelta:
    seconds = settings.worker_graceful_shutdown_seconds
    if queue is Queue.MEDIA:
        seconds = min(seconds, settings.worker_media_shutdown_seconds)
    return timedelta(seconds=seconds)


async def _log_fatal(error: BaseException) -> None:
    log.error("worker failed for good", error=str(error))
    report(error, where="worker")


async def run(settings: Settings, queues: Sequence[Queue]) -> None:
    """Poll until SIGTERM or SIGINT, then hand running work back and return."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    client = await connect(settings, runtime=_runtime(settings))
    async with AsyncExitStack() as stack:
        parts = None
        if any(queue is not Queue.WORKFLOWS for queue in queues):
            parts = stack.enter_context(open_worker_parts(settings, client))
            await stack.enter_async_context(kept_tidy(parts.scratch))
        if Queue.WORKFLOWS in queues:
            await _ensure_sweeps(client, settings)
            await _ensure_payouts(client, settings)
        workers = build_workers(client, settings, queues, parts)
        for worker in workers:
            await stack.enter_async_context(worker)
        log.info("worker ready", queues=[queue.value for queue in queues], pid=os.getpid())
        await stopping.wait()
        log.info("worker stopping", grace_seconds=settings.worker_graceful_shutdown_seconds)
        end_after(settings.worker_graceful_shutdown_seconds + 10)
        await hand_back(workers)
    log.info("worker stopped")


async def _ensure_sweeps(client: Client, settings: Settings) -> None:
    for sweep in SWEEPS:
        workflow_id = f"{settings.task_queue_prefix}{sweep_workflow_id(sweep.kind)}"
        await ensure_schedule(
            client,
            schedule_id=workflow_id,
            workflow=sweep.workflow,
            workflow_id=workflow_id,
            task_queue=queue_name(Queue.WORKFLOWS, prefix=settings.task_queue_prefix),
            every=sweep.every or timedelta(seconds=settings.sweep_interval_seconds),
            note=sweep.note,
            priority=at(Urgency.SWEEP),
        )


async def _ensure_payouts(client: Client, settings: Settings) -> None:
    workflow_id = f"{settings.task_queue_prefix}{PAYOUT_BATCH}"
    await ensure_weekly(
        client,
        schedule_id=workflow_id,
        workflow="PayoutBatch",
        order=BatchOrder(),
        workflow_id=workflow_id,
        task_queue=queue_name(Queue.WORKFLOWS, prefix=settings.task_queue_prefix),
        weekday=settings.payout_weekday,
        hour=settings.payout_hour,
        note="Pay out every creator who may be paid out",
        priority=at(Urgency.LATER),
    )


def _runtime(settings: Settings) -> Runtime | None:
    if settings.metrics_port == 0:
        return None
    return runtime_with_metrics(f"0.0.0.0:{settings.metrics_port}")


async def hand_back(workers: Sequence[Worker]) -> None:
    """Take no new work, finish what can be finished in the grace of its queue, hand back the rest.

    All workers at once: one after the other, those whose turn is later would take new work.
    """
    await asyncio.gather(*(worker.shutdown() for worker in workers))


def end_after(seconds: float) -> None:
    """A stuck activity can hold `Worker.shutdown` for ever; this ends the process instead."""

    def end() -> None:
        log.error("worker did not stop in time; ending the process", seconds=seconds)
        os._exit(1)

    watchdog = threading.Timer(seconds, end)
    watchdog.daemon = True
    watchdog.start()


def main() -> int:
    parser = argparse.ArgumentParser(description="Run fansworld's workers.")
    parser.add_argument(
        "--queue",
        type=parse_queues,
        default=tuple(Queue),
        help="all (default), or a comma-separated list of: " + ", ".join(Queue),
    )
    arguments = parser.parse_args()
    try:
        settings = load_settings()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    configure_logging(settings)
    try:
        with watching(settings, service="fansworld-worker"):
            asyncio.run(run(settings, arguments.queue))
    except DatabaseBehind as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
