"""Dispute: hold the creator's share, answer in time, wait for the bank, and settle.

    look ─► an answer is due ─► answer ─► look … ─► won | lost | closed

Stripe's word and the row say how it stands; a signal says only that something has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from domain.operators import OperatorText
    from workflows import policies
    from workflows.disputes import steps
    from workflows.disputes.messages import DisputeLook, DisputeOrder, DisputeStep
    from workflows.operated import Operated
    from workflows.performing import perform
    from workflows.queues import Queue
    from workflows.versions import LONG_LIVED

POLL = timedelta(days=1)
"""Webhooks come within seconds; this is for those that never come."""
BOOKING_POLL = timedelta(minutes=1)
"""A chargeback whose balance transaction is not there yet."""

_Step = Callable[[DisputeStep], DisputeLook]


@workflow.defn(versioning_behavior=LONG_LIVED)
class Dispute(Operated):
    """One run a dispute; id from `domain.ids.dispute_workflow_id`. An inquiry that was closed
    and becomes a chargeback has another one."""

    @workflow.init
    def __init__(self, order: DisputeOrder) -> None:
        super().__init__("dispute", order.stripe_dispute_id)
        self._order = order
        self._changed = False

    @workflow.run
    async def run(self, order: DisputeOrder) -> DisputeLook:
        for _ in range(order.looks_max):
            seen = await self._step("look", steps.look_at_dispute, "Asking Stripe how it stands")
            if seen.answer is not None:
                said = f"Answering: {seen.answer.value}"
                seen = await self._step("answer", steps.answer_dispute, said)
            workflow.set_current_details(f"The dispute is {seen.state.value}.")
            await self._tell_owner(seen)
            if seen.state.is_final and seen.is_booked:
                await workflow.wait_condition(workflow.all_handlers_finished)
                return seen
            await self._wait(self._pause(seen))
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(order)

    @workflow.signal
    def stripe_changed(self, event_type: str, object_id: str) -> None:
        """Stripe says that something changed, or staff have decided (`decided`). What it is now is
        asked for, not believed."""
        del event_type, object_id
        self._changed = True

    def _pause(self, seen: DisputeLook) -> timedelta:
        if not seen.is_booked:
            return BOOKING_POLL
        if seen.submits_at is None:
            return POLL
        return min(POLL, max(seen.submits_at - workflow.now(), timedelta(seconds=1)))

    async def _tell_owner(self, seen: DisputeLook) -> None:
        """What was paid for has ended with the dispute; a run that goes on for it ends too."""
        if seen.tell_run is None:
            return
        try:
            owner = workflow.get_external_workflow_handle(seen.tell_run)
            await owner.signal("charge_taken_back", seen.charge_id)
        except ApplicationError:
            workflow.logger.info("the run of what was paid for is over already")

    async def _step(self, name: str, activity: _Step, summary: str) -> DisputeLook:
        self._changed = False
        return await self.attention.run(
            name,
            lambda: perform(
                activity,
                DisputeStep(self._order.stripe_dispute_id, workflow.now()),
                queue=Queue.MONEY,
                policy=policies.MONEY,
                summary=summary,
            ),
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
