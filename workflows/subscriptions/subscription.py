"""KeepSubscription: one fan's subscription to one creator, from its first payment to its end.

    tend the row ─► sleep until it is due, or until somebody changes something ─► tend it again

The row is the truth, and `domain/subscriptions/life.py` says what it needs next. An ordinary
renewal is one activity: it charges the card, posts the sale, begins the period and lets access
go on, and answers when to come again. Signals and updates only wake the run earlier, so that
one that is lost costs time and never money.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from domain.operators import OperatorText
    from workflows import policies
    from workflows.operated import Operated
    from workflows.performing import perform, was_late
    from workflows.queues import Queue
    from workflows.subscriptions import steps
    from workflows.subscriptions.messages import (
        Cancel,
        Change,
        ChangeKind,
        ChangeResult,
        ChangeTier,
        ConsentToPrice,
        Pause,
        SubscriptionLook,
        SubscriptionOrder,
        Tending,
        UseNewCard,
    )
    from workflows.urgency import Urgency, at
    from workflows.versions import LONG_LIVED

LOOK_EVERY = timedelta(days=35)
"""The row is looked at so often whatever is said, should anybody have changed it behind us."""


@workflow.defn(versioning_behavior=LONG_LIVED)
class KeepSubscription(Operated):
    """One run a subscription; id from `domain.ids.subscription_workflow_id`."""

    @workflow.init
    def __init__(self, order: SubscriptionOrder) -> None:
        super().__init__("subscription", order.subscription_id)
        self._id = order.subscription_id
        self._look = order.look
        self._asked = 1 if order.look is None else 0
        """Counts reasons to tend the row; the first is that the run has begun."""
        self._tended = 0
        """Up to which of them the row was tended."""
        self._tendings = 0
        self._last_news = ""

    @workflow.run
    async def run(self, order: SubscriptionOrder) -> SubscriptionLook:
        first_period = order.look.period_index if order.look is not None else None
        while True:
            look = await self._tend() if self._has_to_tend or self._look is None else self._look
            if first_period is None:
                first_period = look.period_index
            is_over = look.wake_at is None
            moves_on = look.period_index > first_period or self._tendings >= order.tendings_max
            if not is_over and not moves_on:
                await self._sleep(look)
                continue
            await workflow.wait_condition(
                lambda: self._has_to_tend or workflow.all_handlers_finished()
            )
            if self._has_to_tend:
                continue
            if is_over:
                workflow.set_current_details(f"Over: {look.state.value}, {look.end_reason}.")
                return look
            workflow.continue_as_new(replace(order, look=look))

    @property
    def _has_to_tend(self) -> bool:
        return self._asked > self._tended

    async def _tend(self) -> SubscriptionLook:
        asked, said = self._asked, self._last_news

        async def attempt() -> SubscriptionLook:
            while True:
                try:
                    return await perform(
                        steps.tend_subscription,
                        Tending(self._id, workflow.now()),
                        queue=Queue.MONEY,
                        policy=policies.TEND,
                        summary=f"Doing what is due{said}",
                        priority=at(self._urgency),
                    )
                except ActivityError as error:
                    # After an outage what was due then may not be: a fan who has gone is not
                    # charged, and nobody pays for a time that is over.
                    if not was_late(error):
                        raise

        self._look = await self.attention.run("tend", attempt)
        self._tended, self._last_news = asked, ""
        self._tendings += 1
        return self._look

    @property
    def _urgency(self) -> Urgency:
        """A fan who waits for an answer goes before all the renewals of an hour."""
        return Urgency.LATER if workflow.all_handlers_finished() else Urgency.AWAITED

    async def _sleep(self, look: SubscriptionLook) -> None:
        """Until the row is due, or there is a reason to look at it."""
        assert look.wake_at is not None
        until = min(look.wake_at, workflow.now() + LOOK_EVERY)
        workflow.set_current_details(
            f"The subscription is {look.state.value}, in period {look.period_index}.\n"
            f"Looking again at {until:%Y-%m-%d %H:%M:%S} UTC."
        )
        try:
            await workflow.wait_condition(
                lambda: self._has_to_tend,
                timeout=max(until - workflow.now(), timedelta()),
                timeout_summary=OperatorText(f"Until it is due, {look.state.value}"),
            )
        except TimeoutError:
            self._asked += 1

    @workflow.update
    async def begin(self) -> SubscriptionLook:
        """How the first payment stands, as soon as there is something to say to the fan."""
        await workflow.wait_condition(lambda: self._look is not None)
        assert self._look is not None, "it was waited for"
        return self._look

    @workflow.update
    async def confirmed(self) -> SubscriptionLook:
        """The fan says that they have confirmed with their bank: look now, and tell."""
        return await self._tended_anew()

    @workflow.update
    async def cancel(self, wish: Cancel) -> ChangeResult:
        """End it with the period that is paid, or at once."""
        return await self._change(self._wish(ChangeKind.CANCEL, now=wish.now))

    @workflow.update
    async def resume(self) -> ChangeResult:
        """Take a cancellation or a pause back."""
        return await self._change(self._wish(ChangeKind.RESUME))

    @workflow.update
    async def pause(self, wish: Pause) -> ChangeResult:
        """Take nothing after the period that is paid, until a moment."""
        return await self._change(self._wish(ChangeKind.PAUSE, resume_at=wish.resume_at))

    @workflow.update
    async def change_tier(self, wish: ChangeTier) -> ChangeResult:
        """Up at once, down with the next period."""
        return await self._change(self._wish(ChangeKind.CHANGE_TIER, tier_id=wish.tier_id))

    @workflow.update
    async def use_new_card(self, wish: UseNewCard) -> ChangeResult:
        """Pay with another card; what is past due at once."""
        card = wish.payment_method_id
        return await self._change(self._wish(ChangeKind.USE_NEW_CARD, payment_method_id=card))

    @workflow.update
    async def consent_to_price(self, wish: ConsentToPrice) -> ChangeResult:
        """Agree to a higher price."""
        price = wish.price_minor
        return await self._change(self._wish(ChangeKind.CONSENT_TO_PRICE, price_minor=price))

    @workflow.signal
    def stripe_changed(self, event_type: str, object_id: str) -> None:
        """Stripe says that something changed. What it is now is asked for, not believed."""
        self._wake(f", after {event_type} of {object_id}")

    @workflow.signal
    def charge_taken_back(self, charge_id: str) -> None:
        """A charge was refunded or lost to a dispute; the row says what that ended."""
        self._wake(f", after the charge {charge_id} went back")

    @workflow.signal
    def banned(self) -> None:
        """An account was shut: the fan's, or the creator's."""
        self._wake(", after an account was shut")

    @workflow.signal
    def row_changed(self) -> None:
        """Somebody wrote to the row, or means that its time has come."""
        self._wake("")

    def _wake(self, news: str) -> None:
        self._asked += 1
        self._last_news = news

    def _wish(self, kind: ChangeKind, **wish: Any) -> Change:
        return Change(self._id, kind, workflow.now(), **wish)

    async def _change(self, wish: Change) -> ChangeResult:
        """Write the wish down, then do what follows from it, and tell what became of it.

        The wish does not wait for a payment that is under way: the row's lock is enough.
        """
        written = await perform(
            steps.change_subscription,
            wish,
            queue=Queue.MONEY,
            policy=policies.RECORD,
            summary=f"Writing a wish down: {wish.kind.value}",
        )
        if written.refusal is not None:
            return written
        return ChangeResult(await self._tended_anew())

    async def _tended_anew(self) -> SubscriptionLook:
        self._wake("")
        asked = self._asked
        await workflow.wait_condition(lambda: self._tended >= asked)
        assert self._look is not None, "it was waited for"
        return self._look
