"""What a subscription does next, by itself: one pure function of how it stands.

Whoever tends a subscription asks, does what is answered, and asks again until the answer is to
wait. So it does not matter how often or how late anybody asks, and nothing needs to be told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.subscriptions.states import EndReason, SubscriptionState, access_until

FIRST_PAYMENT_TIME = timedelta(hours=23)
"""For a first payment to be confirmed. Stripe's own keys and intents live for a day."""
UPGRADE_TIME = timedelta(hours=1)
"""For an upgrade to be confirmed; what it costs follows from the moment it was asked for."""
LOOK_BOUNDS = (timedelta(minutes=1), timedelta(hours=2))
"""Least and most time between two looks at a payment that nobody tells of."""


class StepKind(StrEnum):
    WAIT = "wait"
    CHARGE = "charge"
    """Take the next period's price, and begin that period."""
    UPGRADE = "upgrade"
    """Take what a higher tier costs for the rest of this period, and change to it."""
    LOOK = "look"
    """See what became of the payment that is under way."""
    GIVE_UP_CHARGE = "give_up_charge"
    TRIAL = "trial"
    TELL_TRIAL_ENDS = "tell_trial_ends"
    PAUSE = "pause"
    END = "end"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Step:
    kind: StepKind
    until: datetime | None = None
    """With `wait`: when to ask again; None: only when something changes."""
    reason: EndReason | None = None
    """With `end`."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a subscription stands. Moments in UTC; None where there is none."""

    state: SubscriptionState
    created_at: datetime
    period_end: datetime | None = None
    """Of the period that runs or has run last; of a trial too."""
    charge_under_way: bool = False
    charge_expires_at: datetime | None = None
    must_end: EndReason | None = None
    """Something outside of it ended it: a ban, a block, an account that is gone."""
    wants_trial: bool = False
    wants_payment: bool = False
    """While past due: the fan is there and pays, with another card or by hand."""
    wants_upgrade: bool = False
    retry_at: datetime | None = None
    give_up_at: datetime | None = None
    resume_at: datetime | None = None
    """While active: it pauses at the period's end, until then. While paused: goes on then."""
    trial_notice_at: datetime | None = None
    """When to tell that the trial ends; None: told, or nothing to tell."""
    price_refused: bool = False
    """The next period has a higher price that the fan was told of and has not agreed to."""


def next_step(standing: Standing, at: datetime) -> Step:
    """What is to be done at `at`."""
    if standing.state.is_final:
        return Step(StepKind.GIVE_UP_CHARGE if standing.charge_under_way else StepKind.DONE)
    if standing.must_end is not None:
        return _end(standing.must_end)
    if standing.charge_under_way:
        expires_at = standing.charge_expires_at
        is_over = expires_at is not None and expires_at <= at
        return Step(StepKind.GIVE_UP_CHARGE if is_over else StepKind.LOOK)
    match standing.state:
        case SubscriptionState.INCOMPLETE:
            return _begin(standing, at)
        case SubscriptionState.CANCELING:
            return _wait_or(standing.period_end, at, _end(EndReason.FAN))
        case SubscriptionState.PAST_DUE:
            return _dun(standing, at)
        case SubscriptionState.PAUSED:
            return _wait_or(standing.resume_at, at, Step(StepKind.CHARGE))
        case _:
            return _run_period(standing, at)


def _begin(standing: Standing, at: datetime) -> Step:
    if standing.created_at + FIRST_PAYMENT_TIME <= at:
        return _end(EndReason.NEVER_PAID)
    return Step(StepKind.TRIAL if standing.wants_trial else StepKind.CHARGE)


def _run_period(standing: Standing, at: datetime) -> Step:
    assert standing.period_end is not None, "what is active has a period"
    if at < standing.period_end:
        if standing.wants_upgrade:
            return Step(StepKind.UPGRADE)
        notice_at = standing.trial_notice_at
        if standing.state is SubscriptionState.TRIALING and notice_at is not None:
            return _wait_or(notice_at, at, Step(StepKind.TELL_TRIAL_ENDS))
        return Step(StepKind.WAIT, until=standing.period_end)
    if standing.state is SubscriptionState.ACTIVE and standing.resume_at is not None:
        return Step(StepKind.PAUSE)
    if standing.price_refused:
        return _end(EndReason.PRICE_REFUSED)
    return Step(StepKind.CHARGE)


def _dun(standing: Standing, at: datetime) -> Step:
    if standing.wants_payment:
        return Step(StepKind.CHARGE)
    if standing.retry_at is not None:
        return _wait_or(standing.retry_at, at, Step(StepKind.CHARGE))
    return _wait_or(standing.give_up_at, at, _end(EndReason.NOT_PAID))


def _wait_or(until: datetime | None, at: datetime, then: Step) -> Step:
    return Step(StepKind.WAIT, until=until) if until is not None and at < until else then


def _end(reason: EndReason) -> Step:
    return Step(StepKind.END, reason=reason)


def look_again_at(charged_at: datetime, at: datetime) -> datetime:
    """When to look next at a payment that is under way since `charged_at`: soon at first, then
    after as long again as it has taken already."""
    least, most = LOOK_BOUNDS
    return at + min(max(at - charged_at, least), most)


def begins_anew(
    state: SubscriptionState, period_end: datetime | None, *, grace: timedelta, at: datetime
) -> bool:
    """Whether a period that is paid at `at` begins then, and not where the last one ended.

    It follows the last one without a gap as long as that still gave access. Who paid after a
    month without access, or comes back from a pause, gets a whole period from that moment.
    """
    until = access_until(state, period_end, grace=grace)
    return until is None or at >= until
