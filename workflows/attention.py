"""What a run does when a step's retry budget is spent: it asks a person and waits.

A workflow owns one `Attention` and offers its two updates:

    retry_step(OperatorChoice)   run the step again with a fresh budget
    skip_step(OperatorChoice)    go on without it, where that is safe

While any step waits, the search attribute `NeedsAttention` is true and the run's current
details say what happened and what to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    TimeoutError,
    is_cancelled_exception,
)

from workflows.attributes import NEEDS_ATTENTION
from workflows.policies import REJECTED

R = TypeVar("R")


@dataclass(frozen=True)
class OperatorChoice:
    """Argument of `retry_step` and `skip_step`."""

    step: str
    operator: str
    note: str = ""


@dataclass
class BlockedStep:
    """A step that waits for an operator."""

    step: str
    reason: str
    """A code or the name of an error; `docs/operations.md` says what to do about each."""
    cause: str
    skippable: bool
    consequence: str
    """What going on without the step would mean."""
    decision: str | None = None


@dataclass(frozen=True)
class Skipped:
    """Stands for the result of a step that an operator skipped."""

    step: str


class Attention:
    """The steps of one run that wait for a person.

    `on_change(blocked)` writes the projection: it is awaited whenever a step begins to wait
    and whenever the last one stops waiting.
    """

    def __init__(self, on_change: Callable[[BlockedStep | None], Awaitable[None]]) -> None:
        self._blocked: dict[str, BlockedStep] = {}
        self._on_change = on_change

    @property
    def blocked(self) -> list[BlockedStep]:
        return [self._blocked[step] for step in self.blocked_steps]

    @property
    def blocked_steps(self) -> tuple[str, ...]:
        return tuple(sorted(self._blocked))

    async def run(self, step: str, attempt: Callable[[], Awaitable[R]]) -> R:
        """Await `attempt()`; on a spent budget wait for an operator, then try again.

        Rejections and cancellation pass through.
        """
        while True:
            try:
                return await attempt()
            except ActivityError as error:
                _let_pass(error)
                cause = error
            await self._wait(step, cause, None)

    async def run_skippable(
        self, step: str, attempt: Callable[[], Awaitable[R]], *, if_skipped: str
    ) -> R | Skipped:
        """As `run`, but an operator may also go on without the step.

        `if_skipped` tells them what that would mean.
        """
        while True:
            try:
                return await attempt()
            except ActivityError as error:
                _let_pass(error)
                cause = error
            if await self._wait(step, cause, if_skipped) == "skip":
                return Skipped(step)

    async def _wait(self, step: str, error: ActivityError, if_skipped: str | None) -> str:
        blocked = self._blocked.get(step)
        try:
            if blocked is None:
                blocked = BlockedStep(
                    step=step,
                    reason=reason_of(error),
                    cause=plain_cause(error),
                    skippable=if_skipped is not None,
                    consequence=if_skipped or "",
                )
                self._blocked[step] = blocked
                await self._show(blocked)
            await _decided(blocked)
        except (asyncio.CancelledError, ActivityError):
            self._give_up(step)
            raise
        if self._blocked.pop(step, None) is not None:
            await self._show(next(iter(self._blocked.values()), None))
        return blocked.decision or "retry"

    def _give_up(self, step: str) -> None:
        """The run ends another way; it must not be listed as waiting for ever."""
        if self._blocked.pop(step, None) is not None and not self._blocked:
            workflow.upsert_search_attributes([NEEDS_ATTENTION.value_set(False)])

    async def _show(self, blocked: BlockedStep | None) -> None:
        workflow.upsert_search_attributes([NEEDS_ATTENTION.value_set(blocked is not None)])
        if blocked is not None:
            workflow.set_current_details(attention_text(blocked))
        await self._on_change(blocked)

    def check(self, choice: OperatorChoice, *, skip: bool) -> None:
        """Validate an update: refuses what does not fit how the run stands."""
        blocked = self._blocked.get(choice.step)
        if blocked is None or blocked.decision is not None:
            waiting = ", ".join(self.blocked_steps) or "none"
            raise ApplicationError(
                f"the step {choice.step!r} is not waiting for a decision (waiting: {waiting})"
            )
        if not choice.operator.strip():
            raise ApplicationError("say who decides: `operator` must not be empty")
        if skip and not blocked.skippable:
            raise ApplicationError(
                f"the step {choice.step!r} can't be skipped: the run has no result without "
                "it; retry it, or cancel the run"
            )

    def decide(self, choice: OperatorChoice, *, skip: bool) -> None:
        self._blocked[choice.step].decision = "skip" if skip else "retry"


async def _decided(blocked: BlockedStep) -> None:
    await workflow.wait_condition(lambda: blocked.decision is not None)


def attention_text(blocked: BlockedStep) -> str:
    """What an operator reads in the UI: what happened, what to do."""
    lines = [
        f"### Needs attention: {blocked.step}",
        f"Reason: `{blocked.reason}` (see the runbook in `docs/operations.md`)",
        "",
        f"The step was tried until its budget was spent. Last cause: {blocked.cause}",
        "",
        "When the cause is gone, send the update `retry_step` with",
        f'`{{"step": "{blocked.step}", "operator": "your name"}}`.',
    ]
    if blocked.skippable:
        lines.append(f"Or `skip_step` with the same argument: {blocked.consequence}")
    else:
        lines.append("This step can't be skipped. To give the job up, cancel the run.")
    return "\n".join(lines)


def _let_pass(error: ActivityError) -> None:
    """Raise what is no operator's matter: a refused file, and cancellation.

    An activity that is told to end may fail instead, of what ended it or of anything else. Its
    task is cancelled all the same, and nobody may be asked to repair that.
    """
    if is_cancelled_exception(error) or failure_type(error) == REJECTED:
        raise error
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError from error


def failure_type(error: ActivityError) -> str | None:
    cause = error.cause
    return cause.type if isinstance(cause, ApplicationError) else None


def reason_of(error: ActivityError) -> str:
    """By what the runbook is looked up: the code of one of our own errors, which kind of
    time-out it was, or the name of an error that nobody foresaw."""
    cause = error.cause
    if isinstance(cause, TimeoutError):
        return f"timeout_{cause.type.name.lower()}" if cause.type else "timeout"
    if isinstance(cause, ApplicationError):
        if cause.details:
            return str(cause.details[0])
        return cause.type or "unknown"
    return type(cause or error).__name__


def plain_cause(error: ActivityError) -> str:
    """The innermost message, in words, without a stack."""
    cause = error.cause
    if isinstance(cause, TimeoutError):
        return f"no sign of life in time ({cause.type.name.lower() if cause.type else 'timeout'})"
    return str(cause or error)[:500]
