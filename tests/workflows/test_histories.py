"""Recorded histories: what they must not hold, that there is one for every way a run can go, and
that replaying them finds an edit that open runs would not survive."""

from __future__ import annotations

import inspect
import json
from collections import defaultdict
from collections.abc import Callable, Coroutine
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from temporalio.workflow import NondeterminismError

from workflows import policies
from workflows.mail import steps
from workflows.mail.messages import GiveUpMail, MailEnd, MailOrder
from workflows.operated import Operated
from workflows.performing import perform
from workflows.queues import Queue
from workflows.runner import WORKFLOWS, workflow_runner

HISTORIES = sorted(Path(__file__).parent.glob("*/histories/*.json"))
SENT = Path(__file__).parent / "mail" / "histories" / "sent.json"
PLAIN = [path for path in HISTORIES if path.parts[-3] == "plain"]
"""Of no slice that replays its own."""


def named(path: Path) -> str:
    return f"{path.parts[-3]}-{path.stem}"


@pytest.mark.parametrize("path", HISTORIES, ids=named)
def test_a_history_does_not_say_where_code_lay_on_its_machine(path: Path) -> None:
    assert 'File \\"/' not in path.read_text()


@cache
def what_happened() -> dict[str, set[str]]:
    """By workflow: the types of events in its histories, and the updates that were taken."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in HISTORIES:
        events = json.loads(path.read_text())["events"]
        started = events[0]["workflowExecutionStartedEventAttributes"]
        seen = found[started["workflowType"]["name"]]
        for event in events:
            seen.add(event["eventType"].removeprefix("EVENT_TYPE_"))
            update = event.get("workflowExecutionUpdateAcceptedEventAttributes")
            if update is not None:
                seen.add(update["acceptedRequest"]["input"]["name"])
    return found


@pytest.mark.parametrize("kind", WORKFLOWS, ids=lambda kind: kind.__name__)
def test_there_is_a_history_for_every_way_a_run_can_go(kind: type) -> None:
    """A new workflow fails here until it has been recorded (docs/architecture.md)."""
    seen, code = what_happened()[kind.__name__], inspect.getsource(kind)
    assert "WORKFLOW_EXECUTION_COMPLETED" in seen, "a run that ends well"
    if issubclass(kind, Operated):
        assert seen & {"retry_step", "skip_step"}, "a step that waited for an operator"
    if "continue_as_new(" in code:
        assert "WORKFLOW_EXECUTION_CONTINUED_AS_NEW" in seen
    if "CancelledError" in code:
        assert "WORKFLOW_EXECUTION_CANCEL_REQUESTED" in seen


def recorded(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(path.stem, path.read_text())


@pytest.mark.parametrize("path", PLAIN, ids=named)
async def test_history_replays(path: Path) -> None:
    replayer = Replayer(
        workflows=list(WORKFLOWS),
        workflow_runner=workflow_runner(),
        data_converter=pydantic_data_converter,
    )
    await replayer.replay_workflow(recorded(path))


async def sends(order: MailOrder, *, summary: str = "Handing it over") -> MailEnd:
    return await perform(
        steps.send_mail, order, queue=Queue.IO, policy=policies.SEND, summary=summary
    )


async def asks_first(order: MailOrder) -> MailEnd:
    await workflow.sleep(1)
    return await sends(order)


async def does_another_step(order: MailOrder) -> MailEnd:
    given_up = GiveUpMail(order.mail_id, "no")
    await perform(steps.give_up_mail, given_up, queue=Queue.IO, policy=policies.SEND)
    return MailEnd("given_up")


async def does_nothing(order: MailOrder) -> MailEnd:
    return MailEnd(f"sent {order.mail_id}")


async def says_it_otherwise(order: MailOrder) -> MailEnd:
    return await sends(order, summary="In other words")


async def asks_first_if_it_is_new(order: MailOrder) -> MailEnd:
    if workflow.patched("ask-first"):
        return await asks_first(order)
    return await sends(order)


@workflow.defn(name="SendMail", sandboxed=False)
class Edited:
    """`SendMail`, as it would be after an edit."""

    body: Callable[[MailOrder], Coroutine[Any, Any, MailEnd]]

    @workflow.run
    async def run(self, order: MailOrder) -> MailEnd:
        return await type(self).body(order)


async def replay_edited(body: Callable[[MailOrder], Coroutine[Any, Any, MailEnd]]) -> None:
    Edited.body = staticmethod(body)
    replayer = Replayer(
        workflows=[Edited],
        workflow_runner=UnsandboxedWorkflowRunner(),
        data_converter=pydantic_data_converter,
    )
    await replayer.replay_workflow(recorded(SENT))


@pytest.mark.parametrize("body", [asks_first, does_another_step, does_nothing])
async def test_an_edit_of_the_order_of_commands_is_caught(
    body: Callable[[MailOrder], Coroutine[Any, Any, MailEnd]],
) -> None:
    with pytest.raises(NondeterminismError):
        await replay_edited(body)


@pytest.mark.parametrize("body", [sends, says_it_otherwise, asks_first_if_it_is_new])
async def test_what_an_open_run_does_not_notice_is_let_pass(
    body: Callable[[MailOrder], Coroutine[Any, Any, MailEnd]],
) -> None:
    await replay_edited(body)
