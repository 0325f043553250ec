"""SetUpCard: get a form ready, wait until the fan has confirmed a card, keep it.

That the browser is closed before it can tell of its success loses nothing: Stripe's word, or a
look now and then, brings the card all the same.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.operators import OperatorText
    from domain.payment_methods import SetupState
    from workflows import policies
    from workflows.operated import Operated
    from workflows.payment_methods import steps
    from workflows.payment_methods.messages import (
        CardSetupLook,
        CardSetupOrder,
        CardSetupOutcome,
    )
    from workflows.performing import perform
    from workflows.queues import Queue
    from workflows.versions import SHORT_LIVED

LOOK_AFTER = (timedelta(minutes=5), timedelta(hours=1), timedelta(hours=6))
"""Without a word; then every time after the last of these."""


@workflow.defn(versioning_behavior=SHORT_LIVED)
class SetUpCard(Operated):
    """One run a setup; id from `domain.ids.card_setup_workflow_id`."""

    @workflow.init
    def __init__(self, order: CardSetupOrder) -> None:
        super().__init__("card_setup", order.setup_id)
        self._outcome: CardSetupOutcome | None = None
        self._news = 0
        self._looked = 0

    @workflow.run
    async def run(self, order: CardSetupOrder) -> CardSetupOutcome:
        outcome = await self._begin(order)
        looks = 0
        while outcome.state is SetupState.OPEN:
            is_last = await self._wait(outcome, LOOK_AFTER[min(looks, len(LOOK_AFTER) - 1)])
            looks += 1
            outcome = await self._look(outcome, is_last=is_last)
        workflow.set_current_details(f"Ended: {outcome.state.value}.")
        await workflow.wait_condition(workflow.all_handlers_finished)
        return outcome

    @workflow.update
    async def form(self) -> CardSetupOutcome:
        """Once there is a form for the browser."""
        await workflow.wait_condition(lambda: self._outcome is not None)
        assert self._outcome is not None, "it was waited for"
        return self._outcome

    @workflow.update
    async def confirmed(self) -> CardSetupOutcome:
        """The fan says that they have confirmed: look now, and tell."""
        self._news += 1
        asked = self._news
        await workflow.wait_condition(lambda: self._outcome is not None and self._has_seen(asked))
        assert self._outcome is not None, "it was waited for"
        return self._outcome

    @workflow.signal
    def stripe_changed(self, event_type: str, object_id: str) -> None:
        """Stripe says that something changed. What it is now is asked for, not believed."""
        workflow.set_current_details(f"Looking after {event_type} of {object_id}.")
        self._news += 1

    def _has_seen(self, asked: int) -> bool:
        is_over = self._outcome is not None and self._outcome.state is not SetupState.OPEN
        return self._looked >= asked or is_over

    async def _begin(self, order: CardSetupOrder) -> CardSetupOutcome:
        async def attempt() -> CardSetupOutcome:
            return await perform(
                steps.begin_card_setup,
                replace(order, at=workflow.now()),
                queue=Queue.MONEY,
                policy=policies.MONEY,
                summary="Getting the form for a card ready",
            )

        self._outcome = await self.attention.run("begin", attempt)
        return self._outcome

    async def _wait(self, outcome: CardSetupOutcome, patience: timedelta) -> bool:
        """Until there is news, or it is time to look anyway; whether the fan's time is up."""
        until = min(workflow.now() + patience, outcome.expires_at)
        workflow.set_current_details(f"Waiting for the fan; looking at {until:%H:%M:%S} UTC.")
        try:
            await workflow.wait_condition(
                lambda: self._news > self._looked,
                timeout=until - workflow.now(),
                timeout_summary=OperatorText("Until the fan has confirmed the card"),
            )
        except TimeoutError:
            return until >= outcome.expires_at
        return False

    async def _look(self, outcome: CardSetupOutcome, *, is_last: bool) -> CardSetupOutcome:
        seen = self._news

        async def attempt() -> CardSetupOutcome:
            return await perform(
                steps.look_at_card_setup,
                CardSetupLook(outcome.setup_id, workflow.now(), is_last),
                queue=Queue.MONEY,
                policy=policies.MONEY,
                summary="Looking whether the card is confirmed",
            )

        self._outcome = await self.attention.run("look", attempt)
        self._looked = seen
        return self._outcome
