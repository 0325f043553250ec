"""How a payout may go, and what Stripe's word about it changes."""

from __future__ import annotations

import pytest

from domain.payouts.states import BUSY, NEXT, BankState, PayoutState, after_bank

S = PayoutState
LONGEST = ["reserved", "transferring", "funded", "submitting", "in_transit", "paid", "settled"]


def reachable(state: PayoutState) -> set[PayoutState]:
    found, further = {state}, [state]
    while further:
        for each in NEXT[further.pop()] - found:
            found.add(each)
            further.append(each)
    return found


def test_every_state_can_be_reached_and_can_end() -> None:
    assert reachable(S.REQUESTED) == set(S)
    for state in S:
        assert any(each.is_final for each in reachable(state)), state


def test_the_way_of_a_payout_that_goes_well() -> None:
    state = S.REQUESTED
    for name in LONGEST:
        assert S(name) in NEXT[state]
        state = S(name)
    assert state.is_final


def test_no_payout_is_released_once_its_money_has_left() -> None:
    """What left can only come back by a reversal, which is `returned`."""
    for state in (S.FUNDED, S.SUBMITTING, S.IN_TRANSIT, S.PAID, S.RETURNING, S.NEEDS_OPS):
        assert S.RELEASED not in reachable(state)


def test_nobody_is_credited_by_itself_where_a_reversal_has_failed() -> None:
    assert NEXT[S.NEEDS_OPS] == {S.RETURNED}


def test_states_in_which_another_payout_has_to_wait() -> None:
    assert set(S) - BUSY == {S.IN_TRANSIT, S.PAID, S.SETTLED, S.RETURNED, S.RELEASED}


@pytest.mark.parametrize(
    ("state", "bank", "then"),
    [
        (S.SUBMITTING, BankState.PENDING, S.IN_TRANSIT),
        (S.SUBMITTING, BankState.PAID, S.PAID),
        (S.SUBMITTING, BankState.FAILED, S.RETURNING),
        (S.IN_TRANSIT, BankState.PENDING, S.IN_TRANSIT),
        (S.IN_TRANSIT, BankState.IN_TRANSIT, S.IN_TRANSIT),
        (S.IN_TRANSIT, BankState.PAID, S.PAID),
        (S.IN_TRANSIT, BankState.FAILED, S.RETURNING),
        (S.IN_TRANSIT, BankState.CANCELED, S.RETURNING),
        # An answer that was on its way for longer.
        (S.PAID, BankState.IN_TRANSIT, S.PAID),
        (S.PAID, BankState.PAID, S.PAID),
        # A bank that sends the money back.
        (S.PAID, BankState.FAILED, S.RETURNING),
        (S.RETURNING, BankState.PAID, S.RETURNING),
        (S.NEEDS_OPS, BankState.FAILED, S.NEEDS_OPS),
        (S.RETURNED, BankState.FAILED, S.RETURNED),
        (S.SETTLED, BankState.FAILED, S.SETTLED),
        (S.RELEASED, BankState.PAID, S.RELEASED),
    ],
)
def test_what_stripe_says_moves_a_payout_forward_only(
    state: PayoutState, bank: BankState, then: PayoutState
) -> None:
    assert after_bank(state, bank) is then


def test_whatever_stripe_says_leads_to_a_state_that_may_follow() -> None:
    for state in S:
        for bank in BankState:
            then = after_bank(state, bank)
            # A payout that is paid at once has been in transit without anybody looking.
            assert then is state or then in NEXT[state] | NEXT[S.IN_TRANSIT]
