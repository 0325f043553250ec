"""What clients do with the samples, and what they see."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio.client import (
    WithStartWorkflowOperation,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from tests.workflows.simulation.samples import (
    HOUR,
    MINUTE,
    Cleaning,
    Listener,
    Looping,
    Parent,
    Reaching,
    Steps,
)
from tests.workflows.simulation.stages import Stage

Seen = dict[str, Any]


async def steps(stage: Stage) -> Seen:
    handle = await stage.client.start_workflow(
        Steps.run, ["ada", "bob", "eve"], id="steps", task_queue=stage.queue
    )
    result = await stage.until(handle.result())
    result["both"] = sorted(result["both"])
    return {"result": result, "status": (await handle.describe()).status}


async def listening(stage: Stage) -> Seen:
    handle = await stage.client.start_workflow(
        Listener.run, 3600.0, id="listener", task_queue=stage.queue
    )
    await stage.rest()
    await handle.signal(Listener.hear, "one")
    await stage.rest()
    answer = await stage.until(handle.execute_update(Listener.ask, "two", id="u2"))
    again = await stage.until(handle.execute_update(Listener.ask, "two", id="u2"))
    seen: Seen = {"answer": answer, "again": again, "said": await handle.query(Listener.said)}
    for what in ("", "fail"):
        try:
            await stage.until(handle.execute_update(Listener.ask, what))
        except WorkflowUpdateFailedError as error:
            seen[f"asked {what!r}"] = str(error.cause)
    try:
        await handle.query(Listener.broken)
    except WorkflowQueryFailedError as error:
        seen["broken"] = "no answer" in str(error)
    await handle.signal(Listener.hear_out, "three")
    await stage.rest()
    await handle.signal(Listener.end)
    seen["result"] = await stage.until(handle.result())
    seen["after"] = await handle.query(Listener.said)
    try:
        await handle.signal(Listener.end)
    except RPCError as error:
        seen["late signal"] = error.status.name
    return seen


async def slow_update(stage: Stage) -> Seen:
    """Accepted long before it is done."""
    handle = await stage.client.start_workflow(
        Listener.run, 7200.0, id="slow", task_queue=stage.queue
    )
    await stage.rest()
    update = await stage.until(
        handle.start_update(Listener.ask, "wait", wait_for_stage=WorkflowUpdateStage.ACCEPTED)
    )
    await stage.sleep(2 * MINUTE)
    return {"answer": await stage.until(update.result()), "said": await handle.query(Listener.said)}


async def starting(stage: Stage) -> Seen:
    """Signal-with-start, update-with-start, and namesakes."""

    async def start(**policies: Any) -> str:
        try:
            handle = await stage.client.start_workflow(
                Listener.run, 3600.0, id="once", task_queue=stage.queue, **policies
            )
        except WorkflowAlreadyStartedError:
            return "already"
        return str(handle.result_run_id)

    first = await start(start_signal="hear", start_signal_args=["a"])
    seen: Seen = {
        "conflict": await start(),
        "existing": await start(id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING) == first,
        "signalled": await start(start_signal="hear", start_signal_args=["b"]) == first,
    }

    def with_start() -> WithStartWorkflowOperation[Any, Any]:
        return WithStartWorkflowOperation(
            Listener.run,
            3600.0,
            id="once",
            task_queue=stage.queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )

    operation = with_start()
    seen["updated"] = await stage.until(
        stage.client.execute_update_with_start_workflow(
            Listener.ask, "c", start_workflow_operation=operation
        )
    )
    handle = await operation.workflow_handle()
    seen["same run"] = handle.result_run_id == first
    await handle.signal(Listener.end)
    seen["result"] = await stage.until(handle.result())
    seen["failed only"] = await start(
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY
    )
    seen["rejected"] = await start(id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE)
    operation = with_start()
    seen["new run"] = await stage.until(
        stage.client.execute_update_with_start_workflow(
            Listener.ask, "d", start_workflow_operation=operation
        )
    )
    handle = await operation.workflow_handle()
    seen["another run"] = handle.result_run_id != first
    await stage.sleep(2 * HOUR)
    seen["bored"] = await stage.until(handle.result())
    return seen


async def looping(stage: Stage) -> Seen:
    handle = await stage.client.start_workflow(
        Looping.run, args=[2, 0], id="loop", task_queue=stage.queue
    )
    await stage.rest()
    for _ in range(3):
        await handle.signal(Looping.tell)
        await stage.sleep(timedelta(minutes=61))
    first = handle.result_run_id
    return {
        "result": await stage.until(handle.result()),
        "first run": await stage.events("loop", first),
    }


async def cancelling(stage: Stage) -> Seen:
    seen: Seen = {}
    for kind in range(3):
        handle = await stage.client.start_workflow(
            Cleaning.run, kind, id=f"cleaning-{kind}", task_queue=stage.queue
        )
        await stage.sleep(MINUTE)
        await handle.cancel()
        try:
            await stage.until(handle.result())
        except WorkflowFailureError as error:
            seen[f"kind {kind}"] = type(error.cause).__name__
    seen["cleaned"] = stage.deeds.done["greet cleaner"] >= 3
    return seen


async def families(stage: Stage) -> Seen:
    handle = await stage.client.start_workflow(Parent.run, id="parent", task_queue=stage.queue)
    await stage.reached("parent/cancelled", "TIMER_STARTED")
    await handle.signal(Parent.cancel_child)
    seen: Seen = {"result": await stage.until(handle.result())}
    await stage.rest()
    for name in ("good", "bad", "cancelled", "abandoned", "ended"):
        child = stage.client.get_workflow_handle(f"parent/{name}")
        seen[name] = (await child.describe()).status
    await stage.client.get_workflow_handle("parent/abandoned").terminate()
    return seen


async def reaching(stage: Stage) -> Seen:
    target = await stage.client.start_workflow(
        Listener.run, 7200.0, id="target", task_queue=stage.queue
    )
    await stage.rest()
    handle = await stage.client.start_workflow(
        Reaching.run, "target", id="reaching", task_queue=stage.queue
    )
    seen: Seen = {"result": await stage.until(handle.result())}
    try:
        await stage.until(target.result())
    except WorkflowFailureError as error:
        seen["target"] = type(error.cause).__name__
    seen["heard"] = await target.query(Listener.said)
    return seen


async def timing_out(stage: Stage) -> Seen:
    handle = await stage.client.start_workflow(
        Listener.run, 7200.0, id="hasty", task_queue=stage.queue, run_timeout=HOUR
    )
    try:
        await stage.until(handle.result())
    except WorkflowFailureError as error:
        return {"cause": type(error.cause).__name__}
    return {}


SKIPPING = (
    (steps, ("steps",)),
    (listening, ("listener",)),
    (slow_update, ("slow",)),
    (starting, ("once",)),
    (looping, ("loop",)),
    (cancelling, ("cleaning-0", "cleaning-1", "cleaning-2")),
    (timing_out, ("hasty",)),
)
"""Each with the runs whose histories are compared."""

WAKING = (
    (families, ("parent", "parent/good", "parent/bad", "parent/cancelled", "parent/abandoned")),
    (reaching, ("reaching",)),
)
"""Those that the server that skips time can't play: it knows nothing of runs that are not there,
and loses the ends of some children."""
