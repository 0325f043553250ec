from __future__ import annotations

import pytest

from domain.charges.states import STATE_OF_INTENT, ChargeState, may_become


@pytest.mark.parametrize("final", [state for state in ChargeState if state.is_final])
def test_nothing_comes_after_an_end(final: ChargeState) -> None:
    assert not any(may_become(final, other) for other in ChargeState)


@pytest.mark.parametrize("state", [state for state in ChargeState if not state.is_final])
def test_what_is_under_way_can_end_in_every_way(state: ChargeState) -> None:
    assert all(may_become(state, end) for end in ChargeState if end.is_final)


def test_no_state_becomes_itself_or_open_again() -> None:
    for state in ChargeState:
        assert not may_become(state, state)
        assert not may_become(state, ChargeState.OPEN)


def test_every_status_that_stripe_documents_is_known() -> None:
    # docs.stripe.com/api/payment_intents/object#payment_intent_object-status
    assert STATE_OF_INTENT.keys() == {
        "canceled",
        "processing",
        "requires_action",
        "requires_capture",
        "requires_confirmation",
        "requires_payment_method",
        "succeeded",
    }
