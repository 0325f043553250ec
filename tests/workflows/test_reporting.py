"""Errors of steps and of workflows' own code: told once, with the ids of their run."""

from __future__ import annotations

import asyncio

from pydantic import SecretStr
from temporalio import activity
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from activities.journal import Journal
from infra.reporting import start_reporting
from tests.harness.sentry import sentry_on_loopback
from tests.workflows.configured import settings_of
from tests.workflows.failing import Failing
from workflows.policies import BLOCKED, REJECTED
from workflows.runner import workflow_runner

QUEUE = "reporting"
FORESEEN = (REJECTED, BLOCKED, "StorageUnavailable")


@activity.defn
async def fail_as(kind: str) -> None:
    if kind in FORESEEN:
        raise ApplicationError("planted-message", "a_code", type=kind)
    if kind == "later" and activity.info().attempt == 1:
        raise ConnectionError("planted-message")
    raise RuntimeError("planted-message of ada@example.com")


async def test_a_step_and_a_workflow_that_break_are_told_and_what_is_foreseen_is_not(
    workflow_client: Client,
) -> None:
    with sentry_on_loopback() as sentry:
        stop = start_reporting(settings_of(sentry_dsn=SecretStr(sentry.dsn)), service="test")
        try:
            async with Worker(
                workflow_client,
                task_queue=QUEUE,
                workflows=[Failing],
                activities=[fail_as],
                workflow_runner=workflow_runner(),
                interceptors=[Journal()],
                workflow_failure_exception_types=[LookupError],
            ):
                runs = (
                    workflow_client.execute_workflow(
                        Failing.run, kind, id=f"reporting:{kind}", task_queue=QUEUE
                    )
                    for kind in (*FORESEEN, "unforeseen", "later", "workflow")
                )
                ends = await asyncio.gather(*runs, return_exceptions=True)
                assert [type(end) for end in ends] == [WorkflowFailureError] * 6
        finally:
            stop()
    told = {(event["tags"]["workflow_id"], event["transaction"]): event for event in sentry.events}
    assert len(sentry.events) == 3, "a later attempt of a step says nothing new"
    assert told["reporting:later", "fail_as"], "but for the first one that nobody foresaw"
    step = told["reporting:unforeseen", "fail_as"]
    assert step["exception"]["values"][-1]["type"] == "RuntimeError"
    assert step["tags"]["run_id"]
    assert told["reporting:workflow", "Failing"]["exception"]["values"][-1]["type"] == "LookupError"
    assert b"planted" not in b"".join(sentry.raw)
