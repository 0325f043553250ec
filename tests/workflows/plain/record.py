"""Ways through workflows of few steps, and the recorder of the histories that replay holds to.

    python -m tests.workflows.plain.record [NAME …]

Steps answer with what a branch lists, in order; the last answer is given again. Never write over
a history of code that has been released: those are what replay protects.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.common import RawValue
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from domain.disputes import DisputeState
from domain.payment_methods import SetupState
from domain.refunds import RefundState
from tests.workflows.media.scripted import broken
from workflows.accounts.sweep import SweepAccounts
from workflows.attention import OperatorChoice
from workflows.attributes import ALL
from workflows.charges.sweep import SweepCharges
from workflows.disputes.dispute import Dispute
from workflows.disputes.messages import DisputeLook, DisputeOrder
from workflows.media.delete import DeleteMedia
from workflows.media.messages import DeleteMediaInput
from workflows.media.sweep import SweepMedia
from workflows.payment_methods.messages import (
    CardRemovalOrder,
    CardSetupOrder,
    CardSetupOutcome,
)
from workflows.payment_methods.removal import RemoveCard
from workflows.payment_methods.setup import SetUpCard
from workflows.payouts.batch import PayoutBatch
from workflows.payouts.connect import Onboard
from workflows.payouts.messages import AccountLook, BatchOrder, BatchPlan, ConnectOrder
from workflows.payouts.sweep import SweepPayouts
from workflows.posts.messages import PostLook, PublishPostOrder
from workflows.posts.publish import PublishPost
from workflows.posts.sweep import SweepPosts
from workflows.queues import Queue, queue_name
from workflows.refunds.messages import RefundLook, RefundOrder
from workflows.refunds.refund import Refund
from workflows.refunds.sweep import SweepRefunds
from workflows.runner import WORKFLOWS, workflow_runner
from workflows.stripe_events.messages import EventSweepReport
from workflows.stripe_events.sweep import SweepStripeEvents
from workflows.subscriptions.sweep import SweepSubscriptions

HISTORIES = Path(__file__).parent / "histories"
_TRACE = re.compile(r'"stackTrace": "(?:[^"\\]|\\.)*"')
_PATIENCE_SECONDS = 15

Handle = WorkflowHandle[Any, Any]


@dataclass(frozen=True)
class Branch:
    """A workflow, what it is asked for, what its steps answer, and what happens meanwhile."""

    workflow: type
    order: Any = None
    answers: dict[str, list[Any]] = field(default_factory=dict)
    meanwhile: Callable[[Handle], Awaitable[None]] | None = None


def retried(step: str) -> Callable[[Handle], Awaitable[None]]:
    """An operator has the step tried again, once it waits for one."""

    async def retry(handle: Handle) -> None:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while step not in await handle.query("waiting_steps"):
                await asyncio.sleep(0.05)
        await handle.execute_update("retry_step", OperatorChoice(step, "ada"))

    return retry


async def told(handle: Handle) -> None:
    """Stripe says that something changed."""
    await asyncio.sleep(0.5)
    await handle.signal("stripe_changed", args=["something.changed", "obj_1"])


async def confirmed(handle: Handle) -> None:
    await handle.execute_update("form")
    await handle.execute_update("confirmed")


def branches() -> dict[str, Branch]:
    return _sweeps() | _media() | _posts() | _cards() | _money()


def _sweeps() -> dict[str, Branch]:
    plain = {
        "accounts": SweepAccounts,
        "charges": SweepCharges,
        "media": SweepMedia,
        "payouts": SweepPayouts,
        "posts": SweepPosts,
        "refunds": SweepRefunds,
        "stripe-events": SweepStripeEvents,
        "subscriptions": SweepSubscriptions,
    }
    given_up = {"sweep_stripe_events": [EventSweepReport(given_up=2)]}
    return {
        **{f"sweep-{name}": Branch(workflow) for name, workflow in plain.items()},
        "sweep-stripe-events-given-up": Branch(SweepStripeEvents, answers=given_up),
    }


def _media() -> dict[str, Branch]:
    order = DeleteMediaInput("m1", ingest_workflow_ids=("ingest:m1",))
    failing = {"erase_media": [broken("the purge hook refused the call"), {"objects": 3}]}
    return {
        "media-deleted": Branch(DeleteMedia, order, {"erase_media": [{"objects": 3}]}),
        "media-deleted-by-operator": Branch(DeleteMedia, order, failing, retried("erase")),
    }


def _posts() -> dict[str, Branch]:
    """The run that continues; what `continued-as-new` of posts holds is the one after it."""
    order, waits = PublishPostOrder("p1", "u1", looks_max=1), PostLook("waiting", 3600)

    async def row_changed(handle: Handle) -> None:
        await asyncio.sleep(0.5)
        await handle.signal("row_changed")

    return {"post-continued": Branch(PublishPost, order, {"publish_if_due": [waits]}, row_changed)}


def _cards() -> dict[str, Branch]:
    now = datetime.now(UTC)
    setup, removal = CardSetupOrder("s1", "f1", now), CardRemovalOrder("c1", now)

    def stands(state: SetupState, *, expires_in: timedelta = timedelta(hours=1)) -> Any:
        return CardSetupOutcome("s1", state, now + expires_in)

    open_, done = stands(SetupState.OPEN), stands(SetupState.SUCCEEDED)
    closed = stands(SetupState.CANCELED)
    soon_over = stands(SetupState.OPEN, expires_in=timedelta(seconds=2))
    begin, look = "begin_card_setup", "look_at_card_setup"
    return {
        "card-confirmed": Branch(SetUpCard, setup, {begin: [open_], look: [done]}, confirmed),
        "card-heard-of": Branch(SetUpCard, setup, {begin: [open_], look: [open_, done]}, told2),
        "card-expired": Branch(SetUpCard, setup, {begin: [soon_over], look: [closed]}),
        "card-by-operator": Branch(SetUpCard, setup, {begin: [broken(), done]}, retried("begin")),
        "card-removed": Branch(RemoveCard, removal),
        "card-removed-by-operator": Branch(
            RemoveCard, removal, {"detach_card": [broken(), None]}, retried("detach")
        ),
    }


async def told2(handle: Handle) -> None:
    await told(handle)
    await told(handle)


def _money() -> dict[str, Branch]:
    under_review = DisputeLook(DisputeState.UNDER_REVIEW)
    lost = DisputeLook(DisputeState.LOST)
    pending = RefundLook("r1", RefundState.PENDING)
    waiting, ready = AccountLook("waiting"), AccountLook("ready")
    nobody = BatchPlan((), 2, None)
    return {
        "dispute-by-operator": Branch(
            Dispute,
            DisputeOrder("dp_1"),
            {"look_at_dispute": [broken(), lost]},
            retried("look"),
        ),
        "dispute-continued": Branch(
            Dispute, DisputeOrder("dp_1", looks_max=1), {"look_at_dispute": [under_review]}, told
        ),
        "refund-by-operator": Branch(
            Refund,
            RefundOrder("r1"),
            {"send_refund": [broken(), RefundLook("r1", RefundState.REFUSED)]},
            retried("send"),
        ),
        "refund-continued": Branch(
            Refund,
            RefundOrder("r1", looks_max=1),
            {"send_refund": [pending], "look_at_refund": [pending]},
            told,
        ),
        "account-by-operator": Branch(
            Onboard, ConnectOrder("u1"), {"refresh_account": [broken(), ready]}, retried("refresh")
        ),
        "account-continued": Branch(
            Onboard, ConnectOrder("u1", looks_max=1), {"refresh_account": [waiting]}, told
        ),
        "batch-by-operator": Branch(
            PayoutBatch,
            BatchOrder(day="2026-01-05"),
            {"plan_payouts": [broken(), nobody]},
            retried("plan"),
        ),
    }


class Answers:
    def __init__(self, branch: Branch) -> None:
        self._left = {step: list(answers) for step, answers in branch.answers.items()}

    @activity.defn(dynamic=True)
    async def give(self, _: Sequence[RawValue]) -> Any:
        step = activity.info().activity_type
        # A sweep's report has a default for everything.
        left = self._left.get(step, [{} if step.startswith("sweep_") else None])
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


async def record(client: Client, name: str, branch: Branch) -> Path:
    prefix, workflow_id = f"t{uuid4().hex[:8]}-", f"{name}-{uuid4()}"
    workers = [
        Worker(
            client,
            task_queue=queue_name(Queue.WORKFLOWS, prefix=prefix),
            workflows=list(WORKFLOWS),
            workflow_runner=workflow_runner(),
        ),
        *(
            Worker(
                client,
                task_queue=queue_name(queue, prefix=prefix),
                activities=[Answers(branch).give],
            )
            for queue in (Queue.IO, Queue.MONEY)
        ),
    ]
    async with workers[0], workers[1], workers[2]:
        handle = await client.start_workflow(
            branch.workflow.__name__,
            args=[] if branch.order is None else [branch.order],
            id=workflow_id,
            task_queue=queue_name(Queue.WORKFLOWS, prefix=prefix),
        )
        first = client.get_workflow_handle(workflow_id, run_id=handle.first_execution_run_id)
        if branch.meanwhile is not None:
            await branch.meanwhile(handle)
        await first.result(follow_runs=False) if not _continues(name) else await _moved_on(first)
        history = await first.fetch_history()
        if _continues(name):
            await client.get_workflow_handle(workflow_id).terminate("recorded")
    path = HISTORIES / f"{name}.json"
    # A trace tells where this machine keeps its files, and replay does not read it.
    path.write_text(_TRACE.sub('"stackTrace": ""', history.to_json()) + "\n")
    return path


def _continues(name: str) -> bool:
    return name.endswith("-continued")


async def _moved_on(handle: Handle) -> None:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while (await handle.describe()).close_time is None:
            await asyncio.sleep(0.05)


async def main(names: Sequence[str]) -> None:
    HISTORIES.mkdir(exist_ok=True)
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(Path(sys.executable).with_name("temporal")),
        search_attributes=list(ALL),
        data_converter=pydantic_data_converter,
    ) as environment:
        for name in names or [n for n in branches() if not (HISTORIES / f"{n}.json").exists()]:
            path = await record(environment.client, name, branches()[name])
            sys.stdout.write(f"{path.name}: {path.stat().st_size} bytes\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
