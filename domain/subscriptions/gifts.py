"""Access that is given: bought by one fan for another, or with the creator's compliments."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from domain.charges.states import ChargeState

NOTE_CHARS_MAX = 500
COMPLIMENTARY_DAYS_MAX = 366


class GiftKind(StrEnum):
    BOUGHT = "bought"
    COMPLIMENTARY = "complimentary"


class GiftState(StrEnum):
    CHARGING = "charging"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    DECLINED = "declined"
    CANCELED = "canceled"
    """Not confirmed in time; nothing was taken."""
    GIVEN = "given"
    TAKEN_BACK = "taken_back"
    """Refunded, disputed, or withdrawn by the creator who gave it for nothing."""


STATE_OF_CHARGE: Mapping[ChargeState, GiftState] = {
    ChargeState.OPEN: GiftState.CHARGING,
    ChargeState.REQUIRES_ACTION: GiftState.REQUIRES_ACTION,
    ChargeState.PROCESSING: GiftState.PROCESSING,
    ChargeState.PAID: GiftState.GIVEN,
    ChargeState.DECLINED: GiftState.DECLINED,
    ChargeState.CANCELED: GiftState.CANCELED,
}

UNDER_WAY = frozenset({GiftState.CHARGING, GiftState.REQUIRES_ACTION, GiftState.PROCESSING})
