"""A subscription is one fan's, of one creator; these are its states.

    incomplete ─┬─► trialing ─┐
                └─► active ◄──┴─► past_due ──► active · expired · canceled
                      │  ▲
                      │  └────── canceling ──► canceled
                      └─► paused ──► active · past_due · canceled

`canceled` and `expired` are final: who comes back has a new subscription. A fan has one that is
not final with each creator, at most.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum


class SubscriptionState(StrEnum):
    INCOMPLETE = "incomplete"
    """The first payment is not through: it is on its way, or waits for the fan's bank."""
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    """A period is over and the next one is not paid."""
    CANCELING = "canceling"
    """Ends with the period that is paid; until then the fan may take that back."""
    PAUSED = "paused"
    """Nothing is open and nothing is taken until it goes on."""
    CANCELED = "canceled"
    """Ended by somebody's will."""
    EXPIRED = "expired"
    """Ended because it was not paid, or not to be had at the new price."""

    @property
    def is_final(self) -> bool:
        return self in _FINAL


class EndReason(StrEnum):
    """Why a subscription ended."""

    FAN = "fan"
    NEVER_PAID = "never_paid"
    """The first payment was declined, or not confirmed in time."""
    NOT_PAID = "not_paid"
    """A renewal was declined until the last retry, or no new card came."""
    PRICE_REFUSED = "price_refused"
    """The price rose, and the fan did not agree to it."""
    REFUNDED = "refunded"
    DISPUTED = "disputed"
    BANNED = "banned"
    """Staff shut the account of the fan or of the creator."""
    BLOCKED = "blocked"
    """One has blocked the other."""
    CREATOR_GONE = "creator_gone"
    FAN_GONE = "fan_gone"

    @property
    def state(self) -> SubscriptionState:
        """The final state that it leads to."""
        return SubscriptionState.EXPIRED if self in _EXPIRING else SubscriptionState.CANCELED


_FINAL = frozenset({SubscriptionState.CANCELED, SubscriptionState.EXPIRED})
_EXPIRING = frozenset({EndReason.NEVER_PAID, EndReason.NOT_PAID, EndReason.PRICE_REFUSED})

_S = SubscriptionState
_NEXT: dict[SubscriptionState, frozenset[SubscriptionState]] = {
    _S.INCOMPLETE: _FINAL | {_S.TRIALING, _S.ACTIVE},
    _S.TRIALING: _FINAL | {_S.ACTIVE, _S.PAST_DUE, _S.CANCELING},
    _S.ACTIVE: _FINAL | {_S.PAST_DUE, _S.CANCELING, _S.PAUSED},
    _S.PAST_DUE: _FINAL | {_S.ACTIVE},
    _S.CANCELING: _FINAL | {_S.TRIALING, _S.ACTIVE},
    _S.PAUSED: _FINAL | {_S.ACTIVE, _S.PAST_DUE},
    _S.CANCELED: frozenset(),
    _S.EXPIRED: frozenset(),
}


def may_become(old: SubscriptionState, new: SubscriptionState) -> bool:
    """Whether a subscription goes that way, or stays as it is while it lives."""
    return new in _NEXT[old] or (new is old and not old.is_final)


RENEWAL_SLACK = timedelta(hours=1)
"""For how long access outlives a period while the next one is being paid, whatever the grace:
nobody should be locked out between two periods by a payment that takes a moment."""


def access_until(
    state: SubscriptionState, period_end: datetime | None, *, grace: timedelta
) -> datetime | None:
    """Until when the state gives access, if nothing happens; None: it gives none.

    While a renewal is to come, access reaches into the grace from the start, so that a renewal
    that fails takes nothing away at first and one that comes late is not noticed. A trial has
    no grace: nobody has paid yet. What ends by will ends with its period.
    """
    if period_end is None:
        return None
    match state:
        case SubscriptionState.ACTIVE | SubscriptionState.PAST_DUE:
            return period_end + max(grace, RENEWAL_SLACK)
        case SubscriptionState.TRIALING:
            return period_end + RENEWAL_SLACK
        case SubscriptionState.CANCELING:
            return period_end
        case _:
            return None
