"""How an order to Stripe that may have to be repeated is repeated.

Stripe answers an order that comes again under the same idempotency key as it did the first
time, for at least 24 hours (https://docs.stripe.com/api/idempotent_requests). After that the
same key would make a second payment. So:

    state              younger than 23 h         older
    intent · unknown   send it, the same key     look whether it was carried out; if not:
                                                 send it, under the next generation's key
    done               send it, the same key     read the object that it made
    failed             send it, under the next generation's key

`intent` can't be told from `unknown`: whoever wrote the one may have died before or after
sending. `failed` means that Stripe has said no and made nothing; under the same key it would
say so again although the cause is gone. A decline by a bank is `done`: it made an object.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

KEY_LIFE = timedelta(hours=23)
"""An hour less than Stripe promises, for clocks that differ and calls that take long."""

KEY_LENGTH_MAX = 240
"""Stripe takes 255 characters, and the generation is put behind."""


class CallState(StrEnum):
    INTENT = "intent"
    """Written down; it may have been sent."""
    UNKNOWN = "unknown"
    """Sent, and no answer came that says what became of it."""
    DONE = "done"
    FAILED = "failed"
    """Refused for good; nothing was made."""


class Repeat(StrEnum):
    """What to do with an order that is given again."""

    SEND = "send"
    SEND_ANEW = "send_anew"
    LOOK_UP = "look_up"
    READ = "read"


def repeat_of(state: CallState, age: timedelta) -> Repeat:
    """The table above. `age`: since the first time that this key was sent."""
    if state is CallState.FAILED:
        return Repeat.SEND_ANEW
    if age < KEY_LIFE:
        return Repeat.SEND
    return Repeat.READ if state is CallState.DONE else Repeat.LOOK_UP


def sent_key(key: str, generation: int) -> str:
    """`tip:42:charge:1`, and of later generations `tip:42:charge:1#2`."""
    return key if generation == 1 else f"{key}#{generation}"
