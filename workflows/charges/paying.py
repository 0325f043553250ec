"""Paying once for one thing: what runs of unlocks, tips and gifts have in common.

    charge ─► paid | declined                                    one activity, most of the time
           └► requires_action | processing ─► look, until it is over or the time is up

What happens to the thing itself is done in the transaction that writes the charge down
(`infra/queries/charges`), so that there is no state between paid and given.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.charges.states import ChargeState
    from domain.operators import OperatorText
    from workflows import policies
    from workflows.charges import steps
    from workflows.charges.messages import ChargeLook, ChargeOrder, ChargeOutcome
    from workflows.operated import Operated
    from workflows.performing import perform
    from workflows.queues import Queue

LOOK_AFTER = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
)
"""Without a word from Stripe or the fan; then again and again after the last of these."""


class PaysOnce(Operated):
    """One run for one thing to pay for. A try that was declined ends the run, and another try
    begins a new one, or goes on in this one where it has not ended yet."""

    def __init__(self, order: ChargeOrder) -> None:
        super().__init__(order.kind.value, order.subject_id)
        self._order = order
        self._outcome: ChargeOutcome | None = None
        self._news = 0
        """Counts reasons to look."""
        self._looked = 0
        self._last_news = ""

    async def pay_until_over(self, order: ChargeOrder) -> ChargeOutcome:
        """Charge, and follow the charge to its end; then the next try, if one was asked for."""
        outcome = await self._follow(await self._charge(order))
        await workflow.wait_condition(
            lambda: self._order is not order or workflow.all_handlers_finished()
        )
        return outcome if self._order is order else await self.pay_until_over(self._order)

    @workflow.update
    async def pay(self, order: ChargeOrder) -> ChargeOutcome:
        """How the try stands as soon as there is something to say to the fan."""
        if order.generation > self._order.generation:
            self._order, self._outcome = order, None
        await workflow.wait_condition(lambda: self._outcome is not None)
        assert self._outcome is not None, "it was waited for"
        return self._outcome

    @workflow.update
    async def confirmed(self) -> ChargeOutcome:
        """The fan says that they have confirmed: look now, and tell."""
        self._news += 1
        asked = self._news
        await workflow.wait_condition(
            lambda: (
                self._outcome is not None
                and (self._looked >= asked or self._outcome.state.is_final)
            )
        )
        assert self._outcome is not None, "it was waited for"
        return self._outcome

    @workflow.signal
    def stripe_changed(self, event_type: str, object_id: str) -> None:
        """Stripe says that something changed. What it is now is asked for, not believed."""
        self._news += 1
        self._last_news = f", after {event_type} of {object_id}"

    async def _charge(self, order: ChargeOrder) -> ChargeOutcome:
        async def attempt() -> ChargeOutcome:
            return await perform(
                steps.take_charge,
                replace(order, at=workflow.now()),
                queue=Queue.MONEY,
                policy=policies.MONEY,
                summary="Charging the card",
            )

        return self._see(await self.attention.run("charge", attempt))

    async def _follow(self, outcome: ChargeOutcome) -> ChargeOutcome:
        looks = 0
        while not outcome.state.is_final:
            is_over = await self._wait(outcome, LOOK_AFTER[min(looks, len(LOOK_AFTER) - 1)])
            looks += 1
            outcome = await self._look(outcome, give_up=is_over)
        return outcome

    async def _wait(self, outcome: ChargeOutcome, patience: timedelta) -> bool:
        """Until there is news, or it is time to look anyway; whether the fan's time is up."""
        until = workflow.now() + patience
        if outcome.expires_at is not None:
            until = min(until, outcome.expires_at)
        waits = outcome.state is ChargeState.REQUIRES_ACTION
        what = "for the fan to confirm" if waits else "for the bank"
        workflow.set_current_details(f"Waiting {what}; looking again at {until:%H:%M:%S} UTC.")
        try:
            await workflow.wait_condition(
                lambda: self._news > self._looked,
                timeout=until - workflow.now(),
                timeout_summary=OperatorText(f"Waiting {what}"),
            )
        except TimeoutError:
            return waits and outcome.expires_at is not None and until >= outcome.expires_at
        return False

    async def _look(self, outcome: ChargeOutcome, *, give_up: bool) -> ChargeOutcome:
        seen, said = self._news, self._last_news
        step = steps.give_up_charge if give_up else steps.look_at_charge

        async def attempt() -> ChargeOutcome:
            return await perform(
                step,
                ChargeLook(outcome.charge_id, workflow.now()),
                queue=Queue.MONEY,
                policy=policies.MONEY,
                summary="Giving the charge up" if give_up else f"Looking at the charge{said}",
            )

        found = self._see(await self.attention.run("look", attempt))
        self._looked = seen
        return found

    def _see(self, outcome: ChargeOutcome) -> ChargeOutcome:
        self._outcome = outcome
        said = f": {outcome.decline_code}" if outcome.decline_code else ""
        workflow.set_current_details(f"The charge is {outcome.state.value}{said}.")
        return outcome
