"""Refund: ask Stripe for it, wait until the bank has it, and some time longer.

    send ─► refused
         └► pending ─► succeeded ─► … 30 days … ─► over
                  └──────┴► failed ─► staff

The row says how it stands; a signal says only that something has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from domain.operators import OperatorText
    from domain.refunds import RefundState
    from workflows import policies
    from workflows.operated import Operated
    from workflows.performing import perform
    from workflows.queues import Queue
    from workflows.refunds import steps
    from workflows.refunds.messages import RefundLook, RefundOrder, RefundStep
    from workflows.versions import LONG_LIVED

PENDING_POLL = timedelta(hours=6)
"""Webhooks come within seconds; these are for those that never come."""
SUCCEEDED_POLL = timedelta(days=7)

_S = RefundState
_Step = Callable[[RefundStep], RefundLook]


@workflow.defn(versioning_behavior=LONG_LIVED)
class Refund(Operated):
    """One run a refund; id from `domain.ids.refund_workflow_id`. The row is already written."""

    @workflow.init
    def __init__(self, order: RefundOrder) -> None:
        super().__init__("refund", order.refund_id)
        self._order = order
        self._seen: RefundLook | None = None
        self._changed = False

    @workflow.run
    async def run(self, order: RefundOrder) -> RefundLook:
        seen = await self._step("send", steps.send_refund, "Asking Stripe to refund")
        await self._tell_owner(seen)
        for _ in range(order.looks_max):
            workflow.set_current_details(f"The refund is {seen.state.value}.")
            pause = self._pause(seen)
            if pause is None:
                return await self._ended(seen)
            await self._wait(pause)
            seen = await self._step("look", steps.look_at_refund, "Asking Stripe how it stands")
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(order)

    @workflow.update
    async def outcome(self) -> RefundLook:
        """How the refund stands as soon as Stripe has said something."""
        await workflow.wait_condition(lambda: self._seen is not None)
        assert self._seen is not None, "it was waited for"
        return self._seen

    @workflow.signal
    def stripe_changed(self, event_type: str, object_id: str) -> None:
        """Stripe says that something changed. What it is now is asked for, not believed."""
        del event_type, object_id
        self._changed = True

    def _pause(self, seen: RefundLook) -> timedelta | None:
        """How long until it is asked for again; None once it is over."""
        if seen.state.is_final:
            return None
        if seen.watched_until is None:
            return PENDING_POLL
        rest = seen.watched_until - workflow.now()
        return min(SUCCEEDED_POLL, rest) if rest > timedelta(0) else None

    async def _ended(self, seen: RefundLook) -> RefundLook:
        if seen.state is _S.FAILED:
            await self.attention.run_skippable(
                "failed_refund",
                lambda: self._perform(steps.check_failed_refund, "Is the fan paid otherwise?"),
                if_skipped="The fan was given their money in another way, or does not get it.",
            )
        await workflow.wait_condition(workflow.all_handlers_finished)
        return seen

    async def _tell_owner(self, seen: RefundLook) -> None:
        """What was paid for has ended with the refund; a run that goes on for it ends too."""
        if seen.tell_run is None:
            return
        try:
            owner = workflow.get_external_workflow_handle(seen.tell_run)
            await owner.signal("charge_taken_back", seen.charge_id)
        except ApplicationError:
            workflow.logger.info("the run of what was paid for is over already")

    async def _step(self, name: str, activity: _Step, summary: str) -> RefundLook:
        self._changed = False
        self._seen = await self.attention.run(name, lambda: self._perform(activity, summary))
        return self._seen

    async def _perform(self, activity: _Step, summary: str) -> RefundLook:
        return await perform(
            activity,
            RefundStep(self._order.refund_id, workflow.now()),
            queue=Queue.MONEY,
            policy=policies.MONEY,
            summary=summary,
        )

    async def _wait(self, pause: timedelta) -> None:
        """Until there is news, at most so long."""
        try:
            await workflow.wait_condition(
                lambda: self._changed,
                timeout=pause,
                timeout_summary=OperatorText("Until Stripe is asked again"),
            )
        except TimeoutError:
            return
