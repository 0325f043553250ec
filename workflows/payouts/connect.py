"""Onboard: watch a creator's account at Stripe until it can be paid out to.

Started when they ask for the account, and again whenever Stripe says that it has changed: what
was complete may lack something next year.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.operators import OperatorText
    from workflows import policies
    from workflows.operated import Operated
    from workflows.payouts import steps
    from workflows.payouts.messages import AccountLook, ConnectOrder, ConnectStep
    from workflows.performing import perform
    from workflows.queues import Queue
    from workflows.versions import LONG_LIVED

FIRST_POLL = timedelta(seconds=30)
"""Whoever has filled in Stripe's form looks at once whether it has worked, and word of it may not
have reached us; each further poll waits twice as long, for Stripe itself checks for days."""
POLL_MAX = timedelta(days=1)


@workflow.defn(versioning_behavior=LONG_LIVED)
class Onboard(Operated):
    """One run a creator while their account lacks something; id from
    `domain.ids.connect_workflow_id`."""

    @workflow.init
    def __init__(self, order: ConnectOrder) -> None:
        super().__init__("payout_account", order.creator_id)
        self._order = order
        self._changed = False

    @workflow.run
    async def run(self, order: ConnectOrder) -> AccountLook:
        pause = FIRST_POLL
        for _ in range(order.looks_max):
            self._changed = False
            seen = await self._look()
            workflow.set_current_details(f"The account: {seen.outcome}.")
            if seen.outcome == "waiting":
                told = await self._wait(pause)
                pause = FIRST_POLL if told else min(pause * 2, POLL_MAX)
            elif not self._changed:
                await workflow.wait_condition(workflow.all_handlers_finished)
                return seen
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(order)

    async def _look(self) -> AccountLook:
        return await self.attention.run(
            "refresh",
            lambda: perform(
                steps.refresh_account,
                ConnectStep(self._order.creator_id, workflow.now()),
                queue=Queue.MONEY,
                policy=policies.MONEY,
                summary="Reading the account from Stripe",
            ),
        )

    async def _wait(self, pause: timedelta) -> bool:
        """Whether somebody has said that it changed."""
        try:
            await workflow.wait_condition(
                lambda: self._changed,
                timeout=pause,
                timeout_summary=OperatorText("Until Stripe is asked again"),
            )
        except TimeoutError:
            return False
        return True

    @workflow.signal
    def stripe_changed(self, event_type: str, object_id: str) -> None:
        """`account.updated`, or its owner has come back from Stripe's form."""
        del event_type, object_id
        self._changed = True
