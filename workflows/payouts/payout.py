"""Payout: set earnings aside, have them looked at, send them, and watch until they are there.

The row says how the payout stands; each step moves it on as far as it can, and the run goes by
what the row says then. So a run that was lost can be started anew anywhere on the way. A signal
says only that something has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from domain.operators import OperatorText
    from domain.payouts.states import PayoutState
    from workflows import policies
    from workflows.attention import BlockedStep
    from workflows.operated import Operated
    from workflows.payouts import steps
    from workflows.payouts.messages import (
        PayoutAttention,
        PayoutDecision,
        PayoutLook,
        PayoutOrder,
        PayoutStep,
        Verdict,
    )
    from workflows.performing import perform
    from workflows.queues import Queue
    from workflows.versions import LONG_LIVED

REVIEW_POLL = timedelta(days=1)
BANK_POLL = timedelta(hours=6)
"""Webhooks come within seconds; this is for those that never come."""
PAID_POLL = timedelta(days=1)

_S = PayoutState
_Step = Callable[[PayoutStep], PayoutLook]


@workflow.defn(versioning_behavior=LONG_LIVED)
class Payout(Operated):
    """One run a payout; id from `domain.ids.payout_workflow_id`. The row is already written."""

    @workflow.init
    def __init__(self, order: PayoutOrder) -> None:
        super().__init__("payout", order.payout_id)
        self._order = order
        self._changed = False
        self._in_review = False
        self._batch = order.batch_run

    @workflow.run
    async def run(self, order: PayoutOrder) -> PayoutLook:
        seen = await self._step("open", steps.open_payout, "Setting the earnings aside")
        for _ in range(order.looks_max):
            workflow.set_current_details(_details_of(seen))
            if seen.state.is_final:
                return await self._ended(seen)
            seen = await self._further(seen)
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(
            PayoutOrder(order.payout_id, order.creator_id, self._batch, order.looks_max)
        )

    async def _further(self, seen: PayoutLook) -> PayoutLook:
        match seen.state:
            case _S.REVIEW:
                return await self._reviewed()
            case _S.RESERVED | _S.TRANSFERRING | _S.FUNDED | _S.SUBMITTING:
                return await self._step("send", steps.send_payout, "Sending the money")
            case _S.RETURNING | _S.NEEDS_OPS:
                return await self._step("return", steps.return_payout, "Taking the money back")
            case _S.REQUESTED:
                return await self._step("open", steps.open_payout, "Setting the earnings aside")
            case _:
                return await self._watched(seen)

    async def _reviewed(self) -> PayoutLook:
        await self._tell_batch()
        self._in_review = True
        await self._wait(REVIEW_POLL, "Until staff have decided")
        seen = await self._look()
        self._in_review = seen.state is _S.REVIEW
        return seen

    async def _watched(self, seen: PayoutLook) -> PayoutLook:
        """Until the bank has it, and until that is certain."""
        await self._tell_batch()
        pause = BANK_POLL
        if seen.settles_at is not None:
            rest = seen.settles_at - workflow.now()
            pause = min(PAID_POLL, max(rest, timedelta(seconds=1)))
        await self._wait(pause, "Until Stripe is asked again")
        return await self._look()

    async def _look(self) -> PayoutLook:
        self._changed = False
        return await self._step("look", steps.look_at_payout, "Asking Stripe how it stands")

    async def _step(self, name: str, activity: _Step, summary: str) -> PayoutLook:
        return await self.attention.run(
            name,
            lambda: perform(
                activity,
                PayoutStep(self._order.payout_id, workflow.now()),
                queue=Queue.MONEY,
                policy=policies.MONEY,
                summary=summary,
            ),
        )

    async def _wait(self, pause: timedelta, summary: str) -> None:
        """Until something has changed, at most so long."""
        try:
            await workflow.wait_condition(
                lambda: self._changed, timeout=pause, timeout_summary=OperatorText(summary)
            )
        except TimeoutError:
            return

    async def _ended(self, seen: PayoutLook) -> PayoutLook:
        await self._tell_batch()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return seen

    async def _tell_batch(self) -> None:
        """This payout needs the batch's room no more, whatever becomes of it."""
        batch, self._batch = self._batch, None
        if batch is None:
            return
        try:
            handle = workflow.get_external_workflow_handle(batch)
            await handle.signal("payout_moved", self._order.payout_id)
        except ApplicationError:
            # The batch is over: it does not wait for ever for those that are slow.
            workflow.logger.info("the batch is over already")

    async def show_attention(self, blocked: BlockedStep | None) -> None:
        note = PayoutAttention(
            self._order.payout_id,
            workflow.now(),
            step=blocked.step if blocked else None,
            reason=blocked.reason if blocked else None,
        )
        await perform(steps.note_payout_attention, note, queue=Queue.MONEY, policy=policies.RECORD)
        if blocked is not None:
            await self._tell_batch()

    @workflow.signal
    def stripe_changed(self, event_type: str, object_id: str) -> None:
        """Stripe has sent an event of this payout or its transfer."""
        del event_type, object_id
        self._changed = True

    @workflow.signal
    def row_changed(self) -> None:
        """Staff have decided."""
        self._changed = True

    @workflow.update
    async def approve(self, verdict: Verdict) -> str:
        """Let a payout go that waits in review."""
        await self._decide(verdict, approved=True)
        return OperatorText("approved")

    @workflow.update
    async def reject(self, verdict: Verdict) -> str:
        """Release a payout that waits in review; the note says why."""
        await self._decide(verdict, approved=False)
        return OperatorText("rejected")

    @approve.validator
    def _check_approve(self, verdict: Verdict) -> None:
        self._check_verdict(verdict)

    @reject.validator
    def _check_reject(self, verdict: Verdict) -> None:
        self._check_verdict(verdict)
        if not verdict.note.strip():
            raise ApplicationError("say why: `note` must not be empty")

    def _check_verdict(self, verdict: Verdict) -> None:
        if not self._in_review:
            raise ApplicationError("this payout does not wait in review")
        if not verdict.operator.strip():
            raise ApplicationError("say who decides: `operator` must not be empty")

    async def _decide(self, verdict: Verdict, *, approved: bool) -> None:
        self._in_review = False
        decision = PayoutDecision(
            self._order.payout_id,
            workflow.now(),
            approved=approved,
            operator=verdict.operator,
            note=verdict.note,
        )
        await perform(steps.decide_payout, decision, queue=Queue.MONEY, policy=policies.RECORD)
        self._changed = True


def _details_of(seen: PayoutLook) -> str:
    said = f"State: {seen.state.value}."
    if seen.reason is not None:
        said += f" Reason: `{seen.reason}`."
    if seen.settles_at is not None:
        said += f" Provisional until {seen.settles_at:%Y-%m-%d %H:%M} UTC."
    return said
