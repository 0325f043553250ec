from __future__ import annotations

from datetime import timedelta

import pytest

from domain.stripe_calls import KEY_LIFE, CallState, Repeat, repeat_of, sent_key

YOUNG, OLD = KEY_LIFE - timedelta(microseconds=1), KEY_LIFE


@pytest.mark.parametrize(
    ("state", "young", "old"),
    [
        (CallState.INTENT, Repeat.SEND, Repeat.LOOK_UP),
        (CallState.UNKNOWN, Repeat.SEND, Repeat.LOOK_UP),
        (CallState.DONE, Repeat.SEND, Repeat.READ),
        (CallState.FAILED, Repeat.SEND_ANEW, Repeat.SEND_ANEW),
    ],
)
def test_an_order_is_repeated_by_its_state_and_age(
    state: CallState, young: Repeat, old: Repeat
) -> None:
    assert (repeat_of(state, YOUNG), repeat_of(state, OLD)) == (young, old)


def test_each_generation_has_a_key_of_its_own() -> None:
    assert [sent_key("k", generation) for generation in (1, 2, 3)] == ["k", "k#2", "k#3"]
