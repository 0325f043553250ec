"""What fans are mailed of their subscriptions, in words."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from domain.subscriptions.states import EndReason


class Notice(StrEnum):
    PAYMENT_FAILED = "payment_failed"
    PRICE_RISES = "price_rises"
    TRIAL_ENDS = "trial_ends"
    CANCELING = "canceling"
    ENDED = "ended"
    GIFT = "gift"


WHY_ENDED: Mapping[str, str] = {
    EndReason.FAN: "You canceled it.",
    EndReason.NEVER_PAID: "Its first payment did not go through.",
    EndReason.NOT_PAID: "We could not take the payment for the next period.",
    EndReason.PRICE_REFUSED: "Its price rose, and you have not agreed to the new one.",
    EndReason.REFUNDED: "Your payment went back to you.",
    EndReason.DISPUTED: "Your bank took the payment back.",
    EndReason.BANNED: "One of the two accounts was shut by our staff.",
    EndReason.BLOCKED: "One of you has blocked the other.",
    EndReason.CREATOR_GONE: "The creator does not publish here any more.",
    EndReason.FAN_GONE: "Your account was closed.",
}


def notice_text(facts: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Subject and paragraphs.

    Args:
        facts: `notice` (a `Notice`) and `creator`, the creator's handle. Of a payment that
            failed `amount`, `access_until` and where it is tried again `retry_at`; of a price
            `price`, `new_price` and `from`; of a trial `ends_at` and `amount`; of an end
            `reason` (an `EndReason`), and of one that is to come `ends_at`; of a gift `giver`
            and `until`. Moments are written out already.
    """
    creator = facts.get("creator")
    match facts.get("notice"):
        case Notice.PAYMENT_FAILED:
            retry_at = facts.get("retry_at")
            again = (
                f"We will try again on {retry_at}."
                if retry_at
                else "We will not try this card again."
            )
            return f"A payment for {creator} did not go through", (
                f"your bank did not let us take {facts.get('amount')} for your subscription to "
                f"{creator}. {again}",
                f"Your access stays until {facts.get('access_until')}. Another card is tried at "
                "once:",
            )
        case Notice.PRICE_RISES:
            return f"{creator} changes the price of your subscription", (
                f"your subscription to {creator} is going to cost {facts.get('new_price')} a month "
                f"instead of {facts.get('price')}, before any discounts. That counts for periods "
                f"that begin after {facts.get('from')}.",
                "Nothing more is taken unless you agree. If you do not, your subscription ends "
                "with the last period at the old price:",
            )
        case Notice.TRIAL_ENDS:
            return f"Your trial of {creator} ends soon", (
                f"your trial ends on {facts.get('ends_at')}. Then {facts.get('amount')} is taken, "
                "unless you cancel before:",
            )
        case Notice.CANCELING:
            return f"Your subscription to {creator} is canceled", (
                f"nothing is taken any more. Your access stays until {facts.get('ends_at')}, and "
                "until then you can take this back:",
            )
        case Notice.GIFT:
            return f"{facts.get('giver')} gave you access to {creator}", (
                f"{facts.get('giver')} gave you access to what {creator} publishes, until "
                f"{facts.get('until')}. It ends by itself, and nothing is taken from you.",
                "What you have stands here:",
            )
        case _:
            why = WHY_ENDED.get(facts.get("reason", ""), "")
            return f"Your subscription to {creator} has ended", (
                f"your subscription to {creator} has ended. {why}",
                "Nothing is taken any more. What you had stands here:",
            )
