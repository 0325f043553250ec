"""What the simulated server adds: chance, deaths, lost calls, and the platform's own workflows."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from datetime import datetime, timedelta

import pytest
from temporalio import activity
from temporalio.client import (
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.workflow import ActivityCancellationType

from domain.ids import mail_workflow_id, publish_workflow_id
from simulation.temporal import (
    Death,
    Lost,
    NotReplayable,
    SimulatedTemporal,
    Stuck,
    TaskFailed,
    WorkerKilled,
)
from simulation.temporal.activities import NotServed
from tests.workflows.mail.runs import Scripted
from tests.workflows.posts.runs import ScriptedRow
from tests.workflows.simulation.samples import (
    HOUR,
    MINUTE,
    SAMPLES,
    Broken,
    Cleaning,
    Listener,
    Steps,
    Waiting,
    Wavering,
)
from tests.workflows.simulation.stages import BEGAN, SimulatedStage, simulated_stage
from workflows.attention import OperatorChoice
from workflows.attributes import CREATOR_ID, NEEDS_ATTENTION
from workflows.mail.messages import MailEnd
from workflows.mail.send import SEND_STEP, SendMail
from workflows.mail.start import start_mail
from workflows.policies import SEND
from workflows.posts.messages import PublishPostOrder
from workflows.posts.start import tell_of_change, tend_publishing
from workflows.queues import Queue, queue_name
from workflows.runner import WORKFLOWS

# --- chance ----------------------------------------------------------------------------------


async def chance_history(seed: int) -> str:
    """The digest of two plays at once, under chance."""
    dice = random.Random(seed)
    server = SimulatedTemporal(
        workflows=SAMPLES, now=BEGAN, seed=seed, choose=lambda count: dice.randrange(count)
    )
    stage = SimulatedStage(server)
    for name in ("one", "two", "three"):
        await server.client.start_workflow(
            Steps.run, [name, "bob", "eve"], id=name, task_queue=stage.queue
        )
    for _ in range(40):
        ready = server.ready()
        if not ready:
            await server.pass_time(MINUTE)
            continue
        await server.work(dice.choice(ready), dice.choice([None, None, *Death]))
    await server.pass_time(9 * HOUR)
    assert [run.status.name for run in server.runs] == ["COMPLETED"] * 3
    return server.digest


async def test_a_seed_decides_the_whole_history() -> None:
    assert await chance_history(1) == await chance_history(1)
    assert await chance_history(1) != await chance_history(2)


def test_a_seed_decides_it_in_every_process() -> None:
    code = (
        "import asyncio\n"
        "from tests.workflows.simulation.test_server import chance_history\n"
        "print(asyncio.run(chance_history(1)))"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


# --- deaths ----------------------------------------------------------------------------------


async def start_steps(stage: SimulatedStage) -> None:
    await stage.client.start_workflow(
        Steps.run, ["ada", "bob", "eve"], id="steps", task_queue=stage.queue
    )


async def work_at(server: SimulatedTemporal, activity: str, death: Death | None) -> None:
    """Work until the activity is next, and at it."""
    while True:
        work = next(iter(server.ready()))
        if work.task is not None and work.task.order.activity_type == activity:
            return await server.work(work, death)
        await server.work(work)


@pytest.mark.parametrize(("death", "deeds"), [(Death.BEFORE, 0), (Death.AFTER, 1)])
async def test_an_activity_is_repeated_once_its_time_is_out(death: Death, deeds: int) -> None:
    stage = simulated_stage()
    await start_steps(stage)
    await work_at(stage.server, "greet", death)
    assert stage.deeds.done["greet ada"] == deeds
    assert not stage.server.ready()
    assert stage.server.clock.next_due() == BEGAN + MINUTE
    await stage.sleep(2 * MINUTE)
    assert stage.deeds.done["greet ada"] == deeds + 1


async def test_an_order_that_no_worker_takes_in_time_is_late() -> None:
    stage = simulated_stage()
    handle = await stage.client.start_workflow(Waiting.run, id="w", task_queue=stage.queue)
    [turn] = stage.server.ready()
    await stage.server.work(turn)
    stage.server.jump(2 * HOUR)
    assert await stage.until(handle.result()) == ["SCHEDULE_TO_CLOSE", "TIMEOUT"]
    assert stage.deeds.done["greet ada"] == 0


async def test_a_worker_may_be_killed_from_within() -> None:
    stage = simulated_stage()
    deaths = [WorkerKilled()]

    @activity.defn(name="greet")
    def killing(name: str) -> str:
        if deaths:
            raise deaths.pop()
        return stage.deeds.greet(name)

    stage.server.serve({stage.queue: [killing, *stage.deeds.all()[1:]]})
    await start_steps(stage)
    await work_at(stage.server, "greet", None)
    assert stage.deeds.done["greet ada"] == 0
    await stage.sleep(9 * HOUR)
    assert stage.deeds.done["greet ada"] == 1


async def test_heartbeats_outlive_a_worker() -> None:
    stage = simulated_stage()
    await stage.client.start_workflow(Cleaning.run, 0, id="c", task_queue=stage.queue)
    await work_at(stage.server, "fail_until", Death.AFTER)
    await stage.sleep(2 * MINUTE)
    assert stage.deeds.resumed_from[0] == 1


async def test_what_does_otherwise_on_a_replay_is_found_out() -> None:
    stage = simulated_stage()
    Wavering.runs = 0
    await stage.client.start_workflow(Wavering.run, id="w", task_queue=stage.queue)
    await stage.server.settle()
    stage.server.kill_worker()
    with pytest.raises(NotReplayable, match="w, turn 0"):
        await stage.sleep(MINUTE)


async def test_a_bug_in_a_workflow_is_raised() -> None:
    stage = simulated_stage()
    await stage.client.start_workflow(Broken.run, id="b", task_queue=stage.queue)
    with pytest.raises(TaskFailed, match="a bug"):
        await stage.server.settle()


async def test_an_activity_that_nobody_offers_is_refused() -> None:
    stage = simulated_stage()
    stage.server.serve({})
    await start_steps(stage)
    with pytest.raises(NotServed, match="greet on samples"):
        await stage.server.settle()


async def test_what_never_comes_is_not_waited_for() -> None:
    stage = simulated_stage()
    handle = await stage.client.start_workflow(
        Cleaning.run,
        int(ActivityCancellationType.TRY_CANCEL),
        id="c",
        task_queue=stage.queue,
    )
    await stage.server.settle()
    await handle.terminate()
    handle = stage.client.get_workflow_handle("c")
    assert (await handle.describe()).status is WorkflowExecutionStatus.TERMINATED
    listener = await stage.client.start_workflow(Listener.run, 1e6, id="l", task_queue=stage.queue)
    await stage.server.settle()
    for timer in stage.server.runs[-1].timers.values():
        timer.cancel()
    with pytest.raises(Stuck):
        await stage.until(listener.result())


# --- lost calls ------------------------------------------------------------------------------


@pytest.mark.parametrize(("lost", "runs"), [(Lost.REQUEST, 0), (Lost.RESPONSE, 1)])
async def test_calls_to_the_server_may_be_lost(lost: Lost, runs: int) -> None:
    stage = simulated_stage()
    asked: list[str] = []

    def lose(rpc: str) -> Lost:
        asked.append(rpc)
        return lost

    stage.server.service.lose = lose
    with pytest.raises(RPCError, match="was lost"):
        await start_steps(stage)
    assert asked == ["start_workflow_execution"]
    assert len(stage.server.runs) == runs


async def test_a_call_may_give_up_waiting_and_the_run_goes_on() -> None:
    stage = simulated_stage()
    handle = await stage.client.start_workflow(Listener.run, 7200.0, id="l", task_queue=stage.queue)
    asked = handle.execute_update(Listener.ask, "wait", rpc_timeout=timedelta(seconds=20))
    with pytest.raises(WorkflowUpdateRPCTimeoutOrCancelledError):
        await stage.until(asked)
    assert stage.server.clock.now == BEGAN + timedelta(seconds=20)
    await stage.sleep(MINUTE)
    assert await handle.query(Listener.said) == ["asked wait"]
    assert stage.deeds.done["greet wait"] == 1


# --- time ------------------------------------------------------------------------------------


async def test_time_that_passes_is_seen_at_each_moment_and_a_jump_only_at_its_end() -> None:
    ends = []
    for jumps in (False, True):
        stage = simulated_stage()
        await start_steps(stage)
        await stage.server.settle()
        if jumps:
            stage.server.jump(timedelta(days=400))
            await stage.server.settle()
        await stage.sleep(timedelta(days=1))
        [run] = stage.server.runs
        assert run.closed_at is not None
        ends.append(run.closed_at - BEGAN)
    assert ends[0] < timedelta(hours=4)
    assert timedelta(days=400) <= ends[1] < timedelta(days=401)


# --- the platform's own ----------------------------------------------------------------------


async def test_a_mail_that_can_not_be_sent_waits_for_an_operator() -> None:
    server = SimulatedTemporal(workflows=WORKFLOWS, now=BEGAN)
    attempts = SEND.retry.maximum_attempts
    scripted = Scripted(fails=[ApplicationError("away", type="Unavailable")] * attempts)
    server.serve({queue_name(Queue.IO, prefix="s-"): scripted.activities()})
    for _ in range(2):
        await start_mail(server.client, "m1", queue_prefix="s-")
    await server.pass_time(timedelta(days=1))
    handle: WorkflowHandle[SendMail, MailEnd] = server.client.get_workflow_handle(
        mail_workflow_id("m1"), result_type=MailEnd
    )
    assert scripted.tries == attempts
    assert await handle.query(SendMail.waiting_steps) == [SEND_STEP]
    assert (await handle.describe()).typed_search_attributes[NEEDS_ATTENTION] is True
    server.kill_worker()
    await server.drive(
        handle.execute_update(SendMail.retry_step, OperatorChoice(SEND_STEP, "ada", "up"))
    )
    assert (await server.drive(handle.result())).outcome == "sent"
    assert [entry.action for entry in scripted.audits] == ["mail.step_retried"]
    assert (await handle.describe()).typed_search_attributes[NEEDS_ATTENTION] is False


async def test_a_post_is_published_on_time_although_every_answer_is_lost() -> None:
    server = SimulatedTemporal(workflows=WORKFLOWS, now=BEGAN)

    async def clock() -> datetime:
        return server.clock.now

    row = ScriptedRow(clock, due=BEGAN + timedelta(days=30))
    server.serve({queue_name(Queue.IO, prefix="s-"): [row.publish_if_due, row.sweep_posts]})
    order = PublishPostOrder("p1", "c1")
    await tend_publishing(server.client, order, queue_prefix="s-")
    await server.settle()
    row.due = BEGAN + timedelta(days=20)
    await tell_of_change(server.client, "p1")
    await tell_of_change(server.client, "nobody")
    await server.pass_time(timedelta(days=19))
    server.jump(timedelta(days=2))
    for _ in range(20):
        for work in server.ready():
            await server.work(work, Death.AFTER)
        if row.publications:
            break
        await server.pass_time(timedelta(seconds=1))
    await server.pass_time(MINUTE)
    run = server.find(publish_workflow_id("p1"))
    assert run is not None and run.status is WorkflowExecutionStatus.COMPLETED
    described = await server.client.get_workflow_handle(run.workflow_id).describe()
    assert described.typed_search_attributes[CREATOR_ID] == "c1"
    assert row.publications == 1
