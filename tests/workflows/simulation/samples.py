"""Workflows that use every feature which the simulated server has."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from temporalio import activity, exceptions, workflow
from temporalio.common import RetryPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ChildWorkflowError,
    WorkflowAlreadyStartedError,
    is_cancelled_exception,
)
from temporalio.workflow import ActivityCancellationType, ParentClosePolicy

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@dataclass
class Deeds:
    """Activities, and how often each was done."""

    done: Counter[str] = field(default_factory=Counter)
    resumed_from: list[int] = field(default_factory=list)

    @activity.defn
    def greet(self, name: str) -> str:
        self.done[f"greet {name}"] += 1
        return f"hello {name} from {activity.info().workflow_id}"

    @activity.defn
    async def greet_async(self, name: str) -> str:
        self.done[f"greet_async {name}"] += 1
        return f"hello {name}"

    @activity.defn
    def fail_until(self, attempt: int) -> int:
        """Succeeds at this attempt."""
        info = activity.info()
        self.done["fail_until"] += 1
        if info.heartbeat_details:
            self.resumed_from.append(info.heartbeat_details[0])
        activity.heartbeat(info.attempt)
        if info.attempt < attempt:
            raise ApplicationError(f"attempt {info.attempt}", type="NotYet")
        return info.attempt

    @activity.defn
    def refuse(self) -> None:
        self.done["refuse"] += 1
        raise ApplicationError("never", "detail", type="Refused")

    def all(self) -> list[Callable[..., Any]]:
        return [self.greet, self.greet_async, self.fail_until, self.refuse]


async def greet(name: str) -> str:
    return await workflow.execute_activity_method(
        Deeds.greet, name, start_to_close_timeout=MINUTE, retry_policy=PATIENT
    )


PATIENT = RetryPolicy(initial_interval=SECOND, maximum_interval=10 * SECOND)


@workflow.defn
class Steps:
    """Activities one after another and side by side, retries, refusals, timers, chance."""

    @workflow.run
    async def run(self, names: list[str]) -> dict[str, Any]:
        began = workflow.now()
        one = await greet(names[0])
        both = await asyncio.gather(
            greet(names[1]),
            workflow.execute_activity_method(
                Deeds.greet_async, names[2], start_to_close_timeout=MINUTE
            ),
        )
        third = await workflow.execute_activity_method(
            Deeds.fail_until, 3, start_to_close_timeout=MINUTE, retry_policy=PATIENT
        )
        return {
            "one": one,
            "both": both,
            "third": third,
            "refused": await self._refused(),
            "spent": await self._spent(),
            "slept": await self._raced(),
            "lasted": (workflow.now() - began) >= 3 * HOUR,
            "patched": workflow.patched("a-change"),
            "drawn": [0 <= workflow.random().random() < 1, len(str(workflow.uuid4()))],
        }

    async def _refused(self) -> list[Any]:
        try:
            await workflow.execute_activity_method(
                Deeds.refuse,
                start_to_close_timeout=MINUTE,
                retry_policy=RetryPolicy(non_retryable_error_types=["Refused"]),
            )
        except ActivityError as error:
            cause = error.cause
            assert isinstance(cause, ApplicationError)
            return [error.activity_type, error.retry_state, cause.type, list(cause.details)]
        return []

    async def _spent(self) -> list[Any]:
        try:
            await workflow.execute_activity_method(
                Deeds.fail_until,
                9,
                start_to_close_timeout=MINUTE,
                retry_policy=RetryPolicy(maximum_attempts=2),
            )
        except ActivityError as error:
            return [error.retry_state, str(error.cause)]
        return []

    async def _raced(self) -> bool:
        """A timer that is cancelled, one that fires, and one that is taken back at once."""
        long = asyncio.create_task(workflow.sleep(9 * HOUR))
        await workflow.sleep(3 * HOUR)
        long.cancel()
        asyncio.create_task(workflow.sleep(HOUR)).cancel()
        try:
            await workflow.wait_condition(lambda: False, timeout=MINUTE)
        except TimeoutError:
            return True
        return False


@workflow.defn
class Waiting:
    """Gives an order that has to be done within an hour, whoever does it."""

    @workflow.run
    async def run(self) -> list[str]:
        try:
            await workflow.execute_activity_method(
                Deeds.greet, "ada", start_to_close_timeout=MINUTE, schedule_to_close_timeout=HOUR
            )
        except ActivityError as error:
            assert isinstance(error.cause, exceptions.TimeoutError) and error.cause.type is not None
            assert error.retry_state is not None
            return [error.cause.type.name, error.retry_state.name]
        return []


@workflow.defn
class Listener:
    """Signals, updates with a validator, queries; ends when it is told to, or when it is bored."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.over = False

    @workflow.run
    async def run(self, bored_after_seconds: float) -> list[str]:
        try:
            await workflow.wait_condition(lambda: self.over, timeout=bored_after_seconds)
        except TimeoutError:
            self.heard.append("bored")
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.heard

    @workflow.signal
    def hear(self, what: str) -> None:
        self.heard.append(what)

    @workflow.signal
    async def hear_out(self, what: str) -> None:
        self.heard.append(await greet(what))

    @workflow.signal
    def end(self) -> None:
        self.over = True

    @workflow.query
    def said(self) -> list[str]:
        return self.heard

    @workflow.query
    def broken(self) -> str:
        raise ApplicationError("no answer")

    @workflow.update
    async def ask(self, what: str) -> str:
        self.heard.append(f"asked {what}")
        if what == "fail":
            raise ApplicationError("failed after it was accepted")
        if what == "wait":
            await workflow.sleep(MINUTE)
        return await greet(what)

    @ask.validator
    def _check(self, what: str) -> None:
        if not what:
            raise ApplicationError("ask something")


@workflow.defn
class Looping:
    """Goes on as new until there is nothing left; counts what it was told on the way."""

    def __init__(self) -> None:
        self.told = 0

    @workflow.signal
    def tell(self) -> None:
        self.told += 1

    @workflow.run
    async def run(self, left: int, told: int) -> int:
        await workflow.sleep(HOUR)
        told += self.told
        if left:
            workflow.continue_as_new(args=[left - 1, told])
        return told


@workflow.defn
class Cleaning:
    """Waits in an activity that never succeeds, and tidies up when it is cancelled."""

    @workflow.run
    async def run(self, kind: int) -> str:
        try:
            await workflow.execute_activity_method(
                Deeds.fail_until,
                1000,
                start_to_close_timeout=MINUTE,
                retry_policy=PATIENT,
                cancellation_type=ActivityCancellationType(kind),
            )
        except (ActivityError, asyncio.CancelledError) as error:
            if not is_cancelled_exception(error):
                raise
            await greet("cleaner")
            raise
        return "never"


@workflow.defn
class Child:
    @workflow.run
    async def run(self, what: str) -> str:
        if what == "fail":
            raise ApplicationError("a child failed", type="ChildFault")
        if what == "sleep":
            await workflow.sleep(24 * HOUR)
        return await greet(what)


@workflow.defn
class Parent:
    """Children that succeed, fail, are cancelled, are there already, or outlive it."""

    def __init__(self) -> None:
        self._may_cancel = False

    @workflow.signal
    def cancel_child(self) -> None:
        """Once it sleeps: one that has not begun yet is cancelled in another way."""
        self._may_cancel = True

    @workflow.run
    async def run(self) -> list[str]:
        own = workflow.info().workflow_id
        said = [await workflow.execute_child_workflow(Child.run, "child", id=f"{own}/good")]
        try:
            await workflow.execute_child_workflow(Child.run, "fail", id=f"{own}/bad")
        except ChildWorkflowError as error:
            assert isinstance(error.cause, ApplicationError)
            said.append(f"{error.workflow_type} {error.cause.type}")
        try:
            await workflow.execute_child_workflow(
                Child.run,
                "again",
                id=f"{own}/good",
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            )
        except WorkflowAlreadyStartedError:
            said.append("already")
        sleeping = await workflow.start_child_workflow(Child.run, "sleep", id=f"{own}/cancelled")
        await workflow.wait_condition(lambda: self._may_cancel)
        sleeping.cancel()
        try:
            await sleeping
        except ChildWorkflowError as error:
            said.append(type(error.cause).__name__)
        await workflow.start_child_workflow(
            Child.run,
            "sleep",
            id=f"{own}/abandoned",
            parent_close_policy=ParentClosePolicy.ABANDON,
        )
        await workflow.start_child_workflow(Child.run, "sleep", id=f"{own}/ended")
        return said


@workflow.defn
class Reaching:
    """Signals and cancels runs that are not its children; one is not there."""

    @workflow.run
    async def run(self, target: str) -> list[str]:
        said = []
        other = workflow.get_external_workflow_handle(target)
        await other.signal("hear", "from outside")
        await other.cancel()
        try:
            await workflow.get_external_workflow_handle("nobody").signal("hear", "?")
        except ApplicationError:
            said.append("nobody to signal")
        try:
            await workflow.get_external_workflow_handle("nobody").cancel()
        except ApplicationError:
            said.append("nobody to cancel")
        return said


@workflow.defn
class Wavering:
    """Does not do the same again on a replay."""

    runs = 0

    @workflow.run
    async def run(self) -> None:
        Wavering.runs += 1
        await workflow.sleep(Wavering.runs)
        await workflow.sleep(HOUR)


@workflow.defn
class Broken:
    @workflow.run
    async def run(self) -> None:
        raise KeyError("a bug")


SAMPLES = (Steps, Waiting, Listener, Looping, Cleaning, Child, Parent, Reaching, Wavering, Broken)
