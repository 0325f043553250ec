"""Which ways a subscription goes, and what access each state gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.subscriptions.states import (
    EndReason,
    SubscriptionState,
    access_until,
    may_become,
)

S = SubscriptionState
END = datetime(2027, 3, 31, 12, tzinfo=UTC)
GRACE = timedelta(days=3)
HOUR = timedelta(hours=1)

WAYS = {
    S.INCOMPLETE: "trialing active canceled expired",
    S.TRIALING: "active past_due canceling canceled expired",
    S.ACTIVE: "past_due canceling paused canceled expired",
    S.PAST_DUE: "active canceled expired",
    S.CANCELING: "trialing active canceled expired",
    S.PAUSED: "active past_due canceled expired",
    S.CANCELED: "",
    S.EXPIRED: "",
}


@pytest.mark.parametrize("old", S)
@pytest.mark.parametrize("new", S)
def test_ways_between_states(old: SubscriptionState, new: SubscriptionState) -> None:
    stays = new is old and not old.is_final
    assert may_become(old, new) == (new in WAYS[old].split() or stays)


def test_every_living_state_can_end() -> None:
    for state in S:
        if not state.is_final:
            assert may_become(state, S.CANCELED)
            assert may_become(state, S.EXPIRED)


@pytest.mark.parametrize(
    ("state", "until"),
    [
        (S.INCOMPLETE, None),
        (S.TRIALING, END + HOUR),
        (S.ACTIVE, END + GRACE),
        (S.PAST_DUE, END + GRACE),
        (S.CANCELING, END),
        (S.PAUSED, None),
        (S.CANCELED, None),
        (S.EXPIRED, None),
    ],
)
def test_access_of_each_state(state: SubscriptionState, until: datetime | None) -> None:
    assert access_until(state, END, grace=GRACE) == until


def test_access_bridges_a_renewal_even_without_grace() -> None:
    assert access_until(S.ACTIVE, END, grace=timedelta()) == END + HOUR


def test_what_has_no_period_gives_no_access() -> None:
    assert all(access_until(state, None, grace=GRACE) is None for state in S)


@pytest.mark.parametrize("reason", EndReason)
def test_who_did_not_pay_expired_and_all_else_is_canceled(reason: EndReason) -> None:
    unpaid = {EndReason.NEVER_PAID, EndReason.NOT_PAID, EndReason.PRICE_REFUSED}
    assert reason.state is (S.EXPIRED if reason in unpaid else S.CANCELED)
