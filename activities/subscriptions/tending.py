"""Doing what a subscription needs, and writing down what its fan wishes.

    lock the row → what comes next? → do it, or begin a charge → commit → Stripe → lock the row …

Whoever dies between two of these leaves a row that says the same again, and a charge whose try
is found by its number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from activities.charges.taking import ChargeTaker
from activities.errors import typed_failures
from activities.subscriptions.sweeping import SubscriptionSweep
from domain.charges.states import ChargeKind, ChargeState
from domain.errors import Conflict, FansworldError, Invalid, NotFound
from domain.ids import subscription_workflow_id
from domain.money import Money
from domain.subscriptions.events import EventKind
from domain.subscriptions.life import Step, StepKind, look_again_at, next_step
from domain.subscriptions.notices import Notice
from domain.subscriptions.rules import Rules
from domain.subscriptions.states import SubscriptionState
from infra.db import transaction
from infra.models import Charge, Subscription
from infra.queries.subscriptions import changing
from infra.queries.subscriptions.charging import (
    Due,
    begin_next_period,
    begin_upgrade,
    due_again,
)
from infra.queries.subscriptions.effects import follow_charge
from infra.queries.subscriptions.ending import end_subscription
from infra.queries.subscriptions.giving import set_access
from infra.queries.subscriptions.mails import in_words, tell_fan
from infra.queries.subscriptions.periods import begin_trial, next_period_price
from infra.queries.subscriptions.rows import (
    lock_subscription,
    move_to,
    note,
    standing_of,
    state_of,
)
from workflows.charges.messages import ChargeOrder, ChargeOutcome
from workflows.declarations import implements
from workflows.queues import Queue
from workflows.subscriptions import steps
from workflows.subscriptions.messages import (
    Change,
    ChangeKind,
    ChangeResult,
    Refusal,
    SubscriptionLook,
    Tending,
)

log = structlog.get_logger(__name__)

STEPS_MAX = 10
"""Of one tending. More would mean that steps follow each other in a circle."""


@dataclass(frozen=True, slots=True)
class _Call:
    """What is to be asked of Stripe, once the row is committed."""

    charge_id: str
    due: Due | None = None
    """Take this; None: look at what was taken, or give it up."""
    gives_up: bool = False


class SubscriptionActivities:
    """What runs of subscriptions ask for."""

    def __init__(
        self, engine: Engine, taker: ChargeTaker, sweep: SubscriptionSweep, rules: Rules
    ) -> None:
        self._engine = engine
        self._taker = taker
        self._sweep = sweep
        self._rules = rules
        self._follow = partial(follow_charge, rules=rules)

    def on_queues(self) -> dict[Queue, list[Callable[..., Any]]]:
        return {
            Queue.MONEY: [
                self.tend_subscription,
                self.change_subscription,
                self._sweep.sweep_subscriptions,
            ]
        }

    @implements(steps.tend_subscription)
    def tend_subscription(self, tending: Tending) -> SubscriptionLook:
        with typed_failures():
            for _ in range(STEPS_MAX):
                done = self._do_next(tending.subscription_id, tending.at)
                if isinstance(done, SubscriptionLook):
                    return done
                outcome = self._ask_stripe(done, tending.at)
                if outcome is not None and not outcome.state.is_final:
                    return self._wait_for_charge(tending, outcome)
        raise AssertionError(f"{tending.subscription_id} did not come to rest")

    def _do_next(self, subscription_id: str, at: datetime) -> SubscriptionLook | _Call:
        """One transaction: everything that needs no call to Stripe, up to the first that does."""
        with transaction(self._engine) as session:
            subscription = lock_subscription(session, subscription_id)
            for _ in range(STEPS_MAX):
                step = next_step(standing_of(session, subscription, self._rules), at)
                if step.kind in (StepKind.WAIT, StepKind.DONE):
                    subscription.wake_at = step.until
                    return _look(subscription, wake_at=step.until)
                call = self._take_step(session, subscription, step, at)
                session.flush()
                if call is not None:
                    subscription.wake_at = at
                    return call
        raise AssertionError(f"{subscription_id} did not come to rest")

    def _take_step(
        self, session: Session, subscription: Subscription, step: Step, at: datetime
    ) -> _Call | None:
        rules = self._rules
        match step.kind:
            case StepKind.CHARGE:
                due = begin_next_period(session, subscription, at=at, rules=rules)
                return _Call(due.charge_id, due) if due is not None else None
            case StepKind.UPGRADE:
                due = begin_upgrade(session, subscription, at=at, rules=rules)
                return _Call(due.charge_id, due) if due is not None else None
            case StepKind.LOOK | StepKind.GIVE_UP_CHARGE:
                return _call_about_charge(
                    session, subscription, gives_up=step.kind is StepKind.GIVE_UP_CHARGE
                )
            case StepKind.TRIAL:
                begin_trial(session, subscription, at=at, rules=rules)
                note(subscription, EventKind.TRIAL_STARTED, at, days=subscription.trial_days)
            case StepKind.TELL_TRIAL_ENDS:
                self._tell_trial_ends(session, subscription, at)
            case StepKind.PAUSE:
                move_to(subscription, SubscriptionState.PAUSED)
                note(subscription, EventKind.PAUSED, at)
                set_access(session, subscription, at=at, rules=rules)
            case _:
                assert step.reason is not None, step
                end_subscription(session, subscription, step.reason, at=at)
        return None

    def _tell_trial_ends(self, session: Session, subscription: Subscription, at: datetime) -> None:
        price = next_period_price(session, subscription, self._rules)
        subscription.trial_notice_at = None
        note(subscription, EventKind.TRIAL_ENDS_SOON, at, amount_minor=price.total_minor)
        assert subscription.period_end is not None, "a trial has its end"
        amount = Money(price.total_minor, subscription.currency).formatted
        ends_at = in_words(subscription.period_end)
        tell_fan(session, subscription, Notice.TRIAL_ENDS, ends_at=ends_at, amount=amount)

    def _ask_stripe(self, call: _Call, at: datetime) -> ChargeOutcome | None:
        if call.due is not None:
            return self._taker.take(_order(call.due, at), self._follow)
        if call.gives_up:
            return self._taker.cancel(call.charge_id, at, self._follow)
        return self._taker.look(call.charge_id, at, self._follow)

    def _wait_for_charge(self, tending: Tending, outcome: ChargeOutcome) -> SubscriptionLook:
        """A payment is with the fan or their bank: look again soon, and when its time is up."""
        with transaction(self._engine) as session:
            subscription = lock_subscription(session, tending.subscription_id)
            charge = session.get_one(Charge, outcome.charge_id)
            wake_at = look_again_at(charge.created_at, tending.at)
            expires_at = subscription.charge_expires_at
            if expires_at is not None and expires_at > tending.at:
                wake_at = min(wake_at, expires_at)
            subscription.wake_at = wake_at
            return _look(subscription, wake_at=wake_at, charge_state=outcome.state)

    @implements(steps.change_subscription)
    def change_subscription(self, change: Change) -> ChangeResult:
        with typed_failures():
            try:
                with transaction(self._engine) as session:
                    subscription = lock_subscription(session, change.subscription_id)
                    self._write_down(session, subscription, change)
            except (Conflict, Invalid, NotFound) as refusal:
                return ChangeResult(refusal=_refusal(refusal))
        return ChangeResult()

    def _write_down(self, session: Session, subscription: Subscription, change: Change) -> None:
        at, rules = change.at, self._rules
        match change.kind:
            case ChangeKind.CANCEL:
                changing.cancel(session, subscription, now=change.now, at=at, rules=rules)
            case ChangeKind.RESUME:
                changing.resume(session, subscription, at=at, rules=rules)
            case ChangeKind.PAUSE:
                assert change.resume_at is not None
                changing.pause(subscription, until=change.resume_at, at=at)
            case ChangeKind.CHANGE_TIER:
                assert change.tier_id is not None
                changing.change_tier(session, subscription, tier_id=change.tier_id, at=at)
            case ChangeKind.USE_NEW_CARD:
                card = change.payment_method_id
                assert card is not None
                changing.use_card(session, subscription, payment_method_id=card, at=at)
            case ChangeKind.CONSENT_TO_PRICE:
                assert change.price_minor is not None
                changing.agree_to_price(subscription, price_minor=change.price_minor, at=at)


def _refusal(error: FansworldError) -> Refusal:
    return Refusal(error.code, error.message, kind=type(error).__name__)


def _call_about_charge(
    session: Session, subscription: Subscription, *, gives_up: bool
) -> _Call | None:
    """What to ask about the charge that is under way. One of which nobody knows whether it has
    reached Stripe is asked for again, by its key; one that was never begun is forgotten."""
    assert subscription.charge_id is not None
    charge = session.get(Charge, subscription.charge_id)
    if charge is None or ChargeState(charge.state).is_final:
        subscription.charge_id = subscription.charge_expires_at = None
        return None
    if charge.payment_intent_id is None:
        return _Call(charge.id, due_again(session, charge))
    return _Call(charge.id, gives_up=gives_up)


def _order(due: Due, at: datetime) -> ChargeOrder:
    return ChargeOrder(
        kind=ChargeKind.SUBSCRIPTION,
        subject_id=due.subscription_id,
        step=due.step,
        generation=due.generation,
        fan_id=due.fan_id,
        creator_id=due.creator_id,
        amount_minor=due.amount_minor,
        currency=due.currency,
        payment_method_id=due.payment_method_id,
        off_session=due.off_session,
        workflow_id=subscription_workflow_id(due.subscription_id),
        at=at,
        description=due.description,
    )


def _look(
    subscription: Subscription,
    *,
    wake_at: datetime | None,
    charge_state: ChargeState | None = None,
) -> SubscriptionLook:
    return SubscriptionLook(
        state=state_of(subscription),
        period_index=subscription.period_index,
        wake_at=wake_at,
        charge_id=subscription.charge_id,
        charge_state=charge_state,
        decline_code=subscription.decline_code,
        end_reason=subscription.end_reason,
    )
