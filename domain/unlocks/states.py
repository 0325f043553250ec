"""How the purchase of one item goes.

    charging ─► requires_action · processing ─► unlocked ─► ended (refunded, disputed)
        ├─► declined · canceled ─► charging, with a new generation
        └─► refunding ─► ended (item_gone)

One row a fan and item is live, which every one is that has not ended: two devices share it.
"""

from __future__ import annotations

from enum import StrEnum

from domain.charges.states import ChargeState


class UnlockState(StrEnum):
    CHARGING = "charging"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    UNLOCKED = "unlocked"
    DECLINED = "declined"
    CANCELED = "canceled"
    """The fan did not confirm in time; nothing was taken."""
    REFUNDING = "refunding"
    """Paid, but by then the item was gone: the money goes back."""
    ENDED = "ended"

    @property
    def may_be_tried(self) -> bool:
        """Whether a new generation may be charged."""
        return self in (UnlockState.DECLINED, UnlockState.CANCELED)

    @property
    def is_under_way(self) -> bool:
        """Whether a run has to be there that brings it to an end."""
        return self in UNDER_WAY


class EndReason(StrEnum):
    """Why what was bought is not the fan's any more."""

    REFUNDED = "refunded"
    DISPUTED = "disputed"
    ITEM_GONE = "item_gone"


UNDER_WAY = frozenset({UnlockState.CHARGING, UnlockState.REQUIRES_ACTION, UnlockState.PROCESSING})

STATE_OF_CHARGE: dict[ChargeState, UnlockState] = {
    ChargeState.OPEN: UnlockState.CHARGING,
    ChargeState.REQUIRES_ACTION: UnlockState.REQUIRES_ACTION,
    ChargeState.PROCESSING: UnlockState.PROCESSING,
    ChargeState.PAID: UnlockState.UNLOCKED,
    ChargeState.DECLINED: UnlockState.DECLINED,
    ChargeState.CANCELED: UnlockState.CANCELED,
}
