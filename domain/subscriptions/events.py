"""What the history of a subscription tells its fan and its creator."""

from __future__ import annotations

from enum import StrEnum


class EventKind(StrEnum):
    CREATED = "created"
    TRIAL_STARTED = "trial_started"
    CONFIRMATION_NEEDED = "confirmation_needed"
    """The fan's bank wants them to confirm a payment."""
    STARTED = "started"
    RENEWED = "renewed"
    PAYMENT_FAILED = "payment_failed"
    CARD_CHANGED = "card_changed"
    CANCELING = "canceling"
    RESUMED = "resumed"
    """What was to be canceled or paused goes on, or a pause is over early."""
    PAUSE_PLANNED = "pause_planned"
    PAUSED = "paused"
    TIER_CHANGE_PLANNED = "tier_change_planned"
    TIER_CHANGED = "tier_changed"
    TIER_CHANGE_FAILED = "tier_change_failed"
    TRIAL_ENDS_SOON = "trial_ends_soon"
    PRICE_RISE_TOLD = "price_rise_told"
    PRICE_AGREED = "price_agreed"
    PAID_TOO_LATE = "paid_too_late"
    """A payment went through after the end; it goes back."""
    ENDED = "ended"
