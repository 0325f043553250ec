"""What a subscription does next: a table of how it stands, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.subscriptions.life import (
    Standing,
    Step,
    StepKind,
    begins_anew,
    look_again_at,
    next_step,
)
from domain.subscriptions.states import EndReason, SubscriptionState

S, K, R = SubscriptionState, StepKind, EndReason
BORN = datetime(2027, 1, 31, 12, tzinfo=UTC)
END = datetime(2027, 2, 28, 12, tzinfo=UTC)
LATER = END + timedelta(days=5)
MOMENT = timedelta(microseconds=1)
GRACE = timedelta(days=3)


def wait(until: datetime | None) -> Step:
    return Step(K.WAIT, until=until)


def end(reason: EndReason) -> Step:
    return Step(K.END, reason=reason)


ROWS: list[tuple[str, dict[str, Any], datetime, Step]] = [
    ("a new one is paid", {"state": S.INCOMPLETE}, BORN, Step(K.CHARGE)),
    ("or tried", {"state": S.INCOMPLETE, "wants_trial": True}, BORN, Step(K.TRIAL)),
    (
        "nobody is charged a day after they asked",
        {"state": S.INCOMPLETE},
        BORN + timedelta(hours=23),
        end(R.NEVER_PAID),
    ),
    (
        "a payment under way is looked at",
        {"state": S.INCOMPLETE, "charge_under_way": True, "charge_expires_at": END},
        END - MOMENT,
        Step(K.LOOK),
    ),
    (
        "until it has to be over",
        {"state": S.INCOMPLETE, "charge_under_way": True, "charge_expires_at": END},
        END,
        Step(K.GIVE_UP_CHARGE),
    ),
    (
        "one that only the bank can end is looked at for ever",
        {"state": S.PAST_DUE, "charge_under_way": True, "give_up_at": END},
        LATER,
        Step(K.LOOK),
    ),
    ("a period runs", {"state": S.ACTIVE, "period_end": END}, END - MOMENT, wait(END)),
    ("and is renewed", {"state": S.ACTIVE, "period_end": END}, END, Step(K.CHARGE)),
    ("a trial runs", {"state": S.TRIALING, "period_end": END}, BORN, wait(END)),
    ("and becomes paid", {"state": S.TRIALING, "period_end": END}, END, Step(K.CHARGE)),
    (
        "its end is to be told",
        {"state": S.TRIALING, "period_end": END, "trial_notice_at": END - GRACE},
        BORN,
        wait(END - GRACE),
    ),
    (
        "and is told",
        {"state": S.TRIALING, "period_end": END, "trial_notice_at": END - GRACE},
        END - GRACE,
        Step(K.TELL_TRIAL_ENDS),
    ),
    (
        "but not after it",
        {"state": S.TRIALING, "period_end": END, "trial_notice_at": END - GRACE},
        END,
        Step(K.CHARGE),
    ),
    (
        "an upgrade is made at once",
        {"state": S.ACTIVE, "period_end": END, "wants_upgrade": True},
        BORN,
        Step(K.UPGRADE),
    ),
    (
        "one that came to a period's end is part of the renewal",
        {"state": S.ACTIVE, "period_end": END, "wants_upgrade": True},
        END,
        Step(K.CHARGE),
    ),
    (
        "a pause begins with the period's end",
        {"state": S.ACTIVE, "period_end": END, "resume_at": LATER},
        END,
        Step(K.PAUSE),
    ),
    (
        "and not before",
        {"state": S.ACTIVE, "period_end": END, "resume_at": LATER},
        BORN,
        wait(END),
    ),
    (
        "a pause lasts",
        {"state": S.PAUSED, "period_end": END, "resume_at": LATER},
        LATER - MOMENT,
        wait(LATER),
    ),
    (
        "until it is to go on",
        {"state": S.PAUSED, "period_end": END, "resume_at": LATER},
        LATER,
        Step(K.CHARGE),
    ),
    (
        "a price that was not agreed to ends it at renewal",
        {"state": S.ACTIVE, "period_end": END, "price_refused": True},
        END,
        end(R.PRICE_REFUSED),
    ),
    (
        "and not before",
        {"state": S.ACTIVE, "period_end": END, "price_refused": True},
        BORN,
        wait(END),
    ),
    (
        "what is to be canceled runs out",
        {"state": S.CANCELING, "period_end": END},
        END - MOMENT,
        wait(END),
    ),
    ("and ends", {"state": S.CANCELING, "period_end": END}, END, end(R.FAN)),
    (
        "a decline waits for its retry",
        {"state": S.PAST_DUE, "period_end": END, "retry_at": LATER, "give_up_at": LATER + GRACE},
        END,
        wait(LATER),
    ),
    (
        "and is retried",
        {"state": S.PAST_DUE, "period_end": END, "retry_at": LATER, "give_up_at": LATER + GRACE},
        LATER,
        Step(K.CHARGE),
    ),
    (
        "a hard one waits for a card",
        {"state": S.PAST_DUE, "period_end": END, "give_up_at": LATER},
        END,
        wait(LATER),
    ),
    (
        "which is tried at once",
        {"state": S.PAST_DUE, "period_end": END, "give_up_at": LATER, "wants_payment": True},
        END,
        Step(K.CHARGE),
    ),
    (
        "until it is given up",
        {"state": S.PAST_DUE, "period_end": END, "give_up_at": LATER},
        LATER,
        end(R.NOT_PAID),
    ),
    ("after the last retry at once", {"state": S.PAST_DUE}, END, end(R.NOT_PAID)),
    ("what is over is over", {"state": S.CANCELED}, LATER, Step(K.DONE)),
    (
        "but for a payment that is under way",
        {"state": S.EXPIRED, "charge_under_way": True},
        LATER,
        Step(K.GIVE_UP_CHARGE),
    ),
    *(
        (f"a ban ends what is {state}", {"state": state, "must_end": R.BANNED}, BORN, end(R.BANNED))
        for state in S
        if not state.is_final
    ),
]


@pytest.mark.parametrize(
    ("facts", "at", "step"), [row[1:] for row in ROWS], ids=[r[0] for r in ROWS]
)
def test_next_step(facts: dict[str, Any], at: datetime, step: Step) -> None:
    assert next_step(Standing(created_at=BORN, **facts), at) == step


@pytest.mark.parametrize(
    ("state", "at", "anew"),
    [
        (S.INCOMPLETE, BORN, True),
        (S.TRIALING, END, False),
        (S.ACTIVE, END, False),
        (S.PAST_DUE, END + GRACE - MOMENT, False),
        (S.PAST_DUE, END + GRACE, True),
        (S.PAUSED, END + MOMENT, True),
    ],
)
def test_a_period_follows_the_last_while_that_gave_access(
    state: SubscriptionState, at: datetime, anew: bool
) -> None:
    period_end = None if state is S.INCOMPLETE else END
    assert begins_anew(state, period_end, grace=GRACE, at=at) is anew


@pytest.mark.parametrize(
    ("minutes", "after"), [(0, 1), (1, 1), (5, 5), (60, 60), (120, 120), (1000, 120)]
)
def test_a_payment_under_way_is_looked_at_ever_more_rarely(minutes: int, after: int) -> None:
    at = BORN + timedelta(minutes=minutes)
    assert look_again_at(BORN, at) == at + timedelta(minutes=after)
